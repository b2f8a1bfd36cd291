import type { Duplex } from 'node:stream'
import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { SerialConsoles } from '../consoles/serial-consoles.ts'
import { historyBytes } from '../consoles/shared-line.ts'
import { type Display, LineBusyError, type Machine, type SerialPort } from '../hypervisor/hypervisor.ts'
import {
  type ByteStream,
  badRequest,
  conflict,
  type StreamCall,
  type StreamHandler,
  type SubresourceHandler,
} from './answers.ts'
import { Instances, type InstancesOptions } from './instances.ts'

const resource = 'virtualmachineinstances'
const defaultTailBytes = 16 * 1024

export interface GuestConsoles {
  streams: Map<string, StreamHandler>
  subresources: Map<string, SubresourceHandler>
  /** Ends what is connected. */
  close(): void
}

/** The ways to sit before a guest: console, vnc, vnc/screenshot. Spec vm-runtime c.3, c.5. */
export function guestConsoles(options: InstancesOptions): GuestConsoles {
  const instances = new Instances(options)
  const serials = new SerialConsoles()
  const open = new Set<Duplex>()
  let closing = false

  /** All refusals are 400, except of a guest that will not come: clients repeat a 400 while they wait for a start. */
  async function running(call: StreamCall): Promise<{ vmi: VirtualMachineInstance; machine: Machine }> {
    const { vmi, machine } = await instances.find(call)
    if (vmi.status?.phase === 'Failed') throw conflict(resource, call.name, 'VMI is in failed status')
    if (!machine) throw badRequest('VMI is not running')
    return { vmi, machine }
  }

  async function portOf(call: StreamCall): Promise<{ machine: Machine; serial: SerialPort }> {
    const { machine } = await running(call)
    const { serial } = machine
    if (!serial) throw badRequest('No serial consoles are present.')
    return { machine, serial }
  }

  async function displayOf(call: StreamCall): Promise<{ machine: Machine; display: Display }> {
    const { machine } = await running(call)
    const { display } = machine
    if (!display) throw badRequest('No graphics devices are present.')
    return { machine, display }
  }

  async function console(call: StreamCall): Promise<ByteStream> {
    const tailBytes = tailOf(call.query)
    const { machine, serial } = await portOf(call)
    return connected(call, machine, serials.join(machine.id, serial, tailBytes))
  }

  async function vnc(call: StreamCall): Promise<ByteStream> {
    const { machine, display } = await displayOf(call)
    return connected(call, machine, display.connect())
  }

  async function screenshot(call: StreamCall): Promise<{ code: number; bytes: Buffer; contentType: string }> {
    const { display } = await displayOf(call)
    return { code: 200, bytes: await display.screenshot(), contentType: 'image/png' }
  }

  async function connected({ name }: StreamCall, machine: Machine, connecting: Promise<Duplex>): Promise<ByteStream> {
    let bytes: Duplex
    try {
      bytes = await connecting
    } catch (error) {
      if (error instanceof LineBusyError) throw conflict(resource, name, error.message)
      // It has ended just now.
      if (machine.state.kind === 'ended') throw badRequest('VMI is not running')
      throw error
    }
    open.add(bytes)
    bytes.once('close', () => open.delete(bytes))
    if (closing) bytes.destroy()
    return { bytes, ending: () => endingOf(machine, closing) }
  }

  const key = (name: string) => `subresources.kubevirt.io/${resource}/${name}`
  return {
    streams: new Map([
      [key('console'), console],
      [key('vnc'), vnc],
    ]),
    subresources: new Map([[key('vnc/screenshot'), screenshot]]),
    close() {
      closing = true
      serials.close()
      for (const bytes of open) bytes.destroy()
    },
  }
}

function endingOf({ state }: Machine, closing: boolean): ReturnType<ByteStream['ending']> {
  if (closing) return { code: 1001, reason: 'the server is closing' }
  if (state.kind === 'ended') return { code: 1000, reason: `the guest has ended: ${state.message}` }
  return { code: 1000, reason: 'the connection to the guest has ended' }
}

/** How much of what was there before a viewer of a console sees first. */
export function tailOf(query: URLSearchParams): number {
  const text = query.get('tailBytes')
  if (text === null) return defaultTailBytes
  if (/^\d{1,5}$/.test(text) && Number(text) <= historyBytes) return Number(text)
  throw badRequest(`tailBytes: must be a whole number from 0 to ${historyBytes}`)
}
