import { readFileSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page, selectors } from 'playwright-core'
import { VirtualMachine } from '../../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import type { KubeClient } from '../../packages/server/src/kube/client.ts'
import { Server } from '../system/server.ts'

// The console as people have it: a real server, a real browser, signed in by a one-time link.

const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium'

export interface Look {
  scheme?: 'light' | 'dark'
  width?: number
  height?: number
  /** A bearer token to sign in with; the administrator's by default. */
  token?: string
  /** Where the browser finds the server, if not at its own address. */
  url?: string
}

/** A server and a browser for all tests of a file. */
export class Console {
  readonly server: Server
  readonly browser: Browser
  readonly url: string
  readonly adminToken: string

  private constructor(server: Server, browser: Browser) {
    const kubeconfig = readFileSync(server.kubeconfig, 'utf8')
    const found = (what: string): string => {
      const value = new RegExp(`${what}: (\\S+)`).exec(kubeconfig)?.[1]
      if (value === undefined) throw new Error(`the kubeconfig has no ${what}`)
      return value
    }
    this.server = server
    this.browser = browser
    this.url = found('server')
    this.adminToken = found('token')
  }

  /** Objects stay as they are put: no controller is at work, unless `roles` names some. */
  static async start(dataDir: string, roles = 'apiserver,console'): Promise<Console> {
    const server = await Server.start(dataDir, ['--roles', roles])
    try {
      return new Console(server, await launch())
    } catch (error) {
      await server.stop()
      throw error
    }
  }

  /** Ends the browser, the server and its virtual machines. */
  async close(): Promise<void> {
    await this.browser.close()
    await this.server.stop('SIGUSR2')
  }

  get client(): KubeClient {
    return this.server.client
  }

  /** A browser window of its own, not signed in. */
  async context({ scheme = 'light', width = 1280, height = 900, url = this.url }: Look = {}): Promise<BrowserContext> {
    return this.browser.newContext({
      baseURL: url,
      // The server's certificate is signed by an authority of its own, which this browser does not know.
      ignoreHTTPSErrors: true,
      colorScheme: scheme,
      viewport: { width, height },
      reducedMotion: 'reduce',
      timezoneId: 'Europe/Berlin',
      permissions: ['clipboard-read', 'clipboard-write'],
    })
  }

  /** A page at this path, signed in. */
  async open(path: string, look: Look = {}): Promise<Page> {
    const context = await this.context(look)
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    await page.goto(await this.link(context, look.token))
    await page.getByTestId('user-menu').waitFor()
    await page.goto(path)
    return page
  }

  /** A one-time link of the user a token stands for. */
  async link(context: BrowserContext, token = this.adminToken): Promise<string> {
    const answer = await context.request.post('/auth/links', { headers: { authorization: `Bearer ${token}` } })
    if (!answer.ok()) throw new Error(`no sign-in link: ${answer.status()} ${await answer.text()}`)
    const { code } = (await answer.json()) as { code: string }
    return `/sign-in#code=${code}`
  }
}

export async function launch(): Promise<Browser> {
  selectors.setTestIdAttribute('data-test')
  return chromium.launch({
    executablePath: chromiumPath,
    // Chromium's sandbox refuses to start for root, which containers usually are.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  })
}

export const vmPath = (name: string, tab = '', namespace = 'default'): string =>
  `/k8s/ns/${namespace}/kubevirt.io~v1~${VirtualMachine.kind}/${name}${tab === '' ? '' : `/${tab}`}`

export const snapshotPath = (name: string, tab = '', namespace = 'default'): string =>
  `/k8s/ns/${namespace}/snapshot.kubevirt.io~v1beta1~${VirtualMachineSnapshot.kind}/${name}${tab === '' ? '' : `/${tab}`}`

export const restorePath = (name: string, tab = '', namespace = 'default'): string =>
  `/k8s/ns/${namespace}/snapshot.kubevirt.io~v1beta1~${VirtualMachineRestore.kind}${name === '' ? '' : `/${name}`}${tab === '' ? '' : `/${tab}`}`
