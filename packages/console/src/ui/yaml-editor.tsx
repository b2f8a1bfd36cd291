import { lazy, Suspense } from 'react'
import { Loading } from './states.tsx'
import type { EditObjectProps } from './yaml/edit-object.tsx'
import type { NewObjectProps } from './yaml/new-object.tsx'

// The editor is heavy and rarely opened: it is loaded when it is.

const EditObject = lazy(() => import('./yaml/edit-object.tsx'))
const NewObject = lazy(() => import('./yaml/new-object.tsx'))

/** An object as YAML, to read, edit and save. Follows the object until something is typed. */
export function YamlEditor(props: EditObjectProps) {
  return (
    <Suspense fallback={<Loading what="the editor" />}>
      <EditObject {...props} />
    </Suspense>
  )
}

/** A new object from YAML. */
export function YamlCreator(props: NewObjectProps) {
  return (
    <Suspense fallback={<Loading what="the editor" />}>
      <NewObject {...props} />
    </Suspense>
  )
}
