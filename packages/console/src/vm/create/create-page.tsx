import {
  Breadcrumb,
  BreadcrumbItem,
  Content,
  PageSection,
  Title,
  ToggleGroup,
  ToggleGroupItem,
} from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { useState } from 'react'
import { Link, useNavigate, useParams, useSearchParams } from 'react-router'
import { useAllowed } from '../../kube/rights.ts'
import { exampleVm, type NewVm, newVm } from '../../model/new-vm.ts'
import { listPath, objectPath } from '../../shell/paths.ts'
import { Forbidden } from '../../ui/states.tsx'
import { useStable } from '../../ui/use-stable.ts'
import { YamlCreator } from '../../ui/yaml-editor.tsx'
import { CreateForm } from './create-form.tsx'

/** A new VM: by a short form, or as YAML, which begins as the form stands. */
export function CreateVmPage() {
  const { namespace = '' } = useParams()
  const navigate = useNavigate()
  const [search, setSearch] = useSearchParams()
  const [form, setForm] = useState<NewVm>(newVm)
  const { group, plural: resource } = VirtualMachine
  const { allowed, reason } = useAllowed({ verb: 'create', group, resource, namespace })
  const asYaml = search.get('view') === 'yaml'
  const created = useStable(({ metadata }: KubeObject): void => void navigate(objectPath(VirtualMachine, metadata)))
  const cancel = (): void => void navigate(listPath(VirtualMachine, namespace))
  return (
    <>
      <PageSection type="breadcrumb">
        <Breadcrumb>
          <BreadcrumbItem>
            <Link to={listPath(VirtualMachine, namespace)}>VirtualMachines</Link>
          </BreadcrumbItem>
          <BreadcrumbItem isActive>Create</BreadcrumbItem>
        </Breadcrumb>
        <Title headingLevel="h1">Create VirtualMachine</Title>
        <Content component="p">
          In namespace <strong>{namespace}</strong>
        </Content>
      </PageSection>
      <PageSection>
        {allowed === false ? (
          <Forbidden what="the form for a new VirtualMachine" error={new Error(reason)} />
        ) : (
          <>
            <ToggleGroup aria-label="How to describe it" style={{ marginBlockEnd: 'var(--pf-t--global--spacer--lg)' }}>
              <ToggleGroupItem
                buttonId="view-form"
                text="Form"
                isSelected={!asYaml}
                onChange={() => setSearch({}, { replace: true })}
              />
              <ToggleGroupItem
                buttonId="view-yaml"
                text="YAML"
                isSelected={asYaml}
                onChange={() => setSearch({ view: 'yaml' }, { replace: true })}
              />
            </ToggleGroup>
            {asYaml ? (
              <YamlCreator
                definition={VirtualMachine}
                namespace={namespace}
                example={exampleVm(form, namespace)}
                onCreated={created}
                onCancel={cancel}
              />
            ) : (
              <CreateForm form={form} onChange={setForm} namespace={namespace} onCreated={created} onCancel={cancel} />
            )}
          </>
        )}
      </PageSection>
    </>
  )
}
