/** Debian packages, fetched and unpacked without root and without installing anything. */
import { execFile } from 'node:child_process'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const FETCH_LIMIT_MS = 10 * 60_000

/** Package lists and downloads of our own below `dir`, so that neither root nor the system's lists are needed. */
export class Apt {
  readonly #dir: string
  #private = false

  constructor(dir: string) {
    this.#dir = dir
  }

  /** The kernel image a meta package stands for today. */
  async dependency(meta: string, pattern: RegExp): Promise<string> {
    const found = (await this.#depends([meta])).find((name) => pattern.test(name))
    if (!found) throw new Error(`apt knows no package that ${meta} stands for (looked for ${pattern})`)
    return found
  }

  /** `names` and, of all they depend on, the libraries. */
  async withLibraries(names: string[]): Promise<string[]> {
    const all = await this.#depends([...names, '--recurse'])
    return [...new Set([...names, ...all.filter((name) => /^lib(?!perl|.*-perl$)|^zlib/.test(name))])].sort()
  }

  /** Downloads and unpacks packages into `tree`; answers `name=version` of each. */
  async unpack(names: string[], tree: string): Promise<string[]> {
    const downloads = join(this.#dir, 'deb')
    await rm(downloads, { recursive: true, force: true })
    await mkdir(downloads, { recursive: true })
    await this.#orWithFreshLists(() => this.#apt('apt-get', ['download', '-q', ...names], downloads))
    const debs = (await readdir(downloads)).filter((f) => f.endsWith('.deb')).sort()
    if (debs.length < names.length)
      throw new Error(`apt-get download fetched ${debs.length} of ${names.length} packages`)
    await mkdir(tree, { recursive: true })
    for (const deb of debs) await run('dpkg-deb', ['-x', join(downloads, deb), tree])
    await rm(downloads, { recursive: true })
    return debs.map((deb) => decodeURIComponent(deb.replace(/_[^_]*$/, '').replace('_', '=')))
  }

  async #depends(args: string[]): Promise<string[]> {
    const { stdout } = await this.#orWithFreshLists(() => this.#apt('apt-cache', ['depends', '-i', ...args]))
    return [...stdout.matchAll(/^(?:\s+\|?(?:Pre)?Depends: )?([a-z0-9][^\s:<>]*)$/gm)].map((m) => m[1] ?? '')
  }

  async #orWithFreshLists<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt()
    } catch (error) {
      if (this.#private) throw error
      this.#private = true
      // The system's lists are missing or older than the archive: fetch lists of our own, once.
      for (const d of ['lists/partial', 'cache/archives/partial']) await mkdir(join(this.#dir, d), { recursive: true })
      await this.#apt('apt-get', ['update', '-q'])
      return await attempt()
    }
  }

  async #apt(command: string, args: string[], cwd?: string): Promise<{ stdout: string }> {
    // As root, apt would drop to a user who cannot write here; the archive's signatures are checked either way.
    const options = ['-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=3']
    if (this.#private)
      for (const [key, value] of [
        ['Dir::State::lists', 'lists'],
        ['Dir::Cache', 'cache'],
      ] as const)
        options.push('-o', `${key}=${join(this.#dir, value)}`)
    try {
      return await run(command, [...options, ...args], {
        timeout: FETCH_LIMIT_MS,
        maxBuffer: 64 << 20,
        env: { ...process.env, LC_ALL: 'C' },
        ...(cwd ? { cwd } : {}),
      })
    } catch (error) {
      const { stderr } = error as { stderr?: string }
      await mkdir(this.#dir, { recursive: true })
      await writeFile(join(this.#dir, 'apt-error.log'), stderr ?? String(error))
      throw new Error(`${command} ${args.slice(0, 4).join(' ')} failed: ${(stderr ?? String(error)).trim()}`)
    }
  }
}
