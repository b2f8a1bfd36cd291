import {
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
} from '@patternfly/react-core'
import type { ReactNode } from 'react'

/** What is known of an object, in two columns where there is room. */
export function Facts({ children, 'data-test': dataTest }: { children: ReactNode; 'data-test'?: string }) {
  return (
    <DescriptionList columnModifier={{ default: '1Col', xl: '2Col' }} data-test={dataTest}>
      {children}
    </DescriptionList>
  )
}

/** One of them; not there when there is nothing to say. */
export function Fact({ title, children }: { title: string; children: ReactNode }) {
  if (children === undefined || children === null || children === '') return null
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{title}</DescriptionListTerm>
      <DescriptionListDescription>{children}</DescriptionListDescription>
    </DescriptionListGroup>
  )
}
