import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { useEffect, useState } from 'react'

/**
 * What a form has made. `onCreated`, which usually leads elsewhere, is called when the guard against leaving with
 * unsaved changes knows that there are none any more.
 */
export function useMade(
  onCreated: (object: KubeObject) => void,
): [made: KubeObject | undefined, setMade: (object: KubeObject) => void] {
  const [made, setMade] = useState<KubeObject>()
  useEffect(() => {
    if (made) onCreated(made)
  }, [made, onCreated])
  return [made, setMade]
}
