import { connect, type Socket } from 'node:net'

/** What a command in the guest printed (both streams) and how it ended. */
export interface CommandResult {
  output: string
  code: number
}

const maxOutputBytes = 4 * 1024 * 1024

/**
 * A root shell in the guest over its serial console, the way a person at the machine would use it. The guest
 * agent is left alone, so that tests may stop it or freeze the guest and still look inside.
 */
export class GuestShell {
  readonly #socket: Socket
  #received = ''
  #wake: (() => void) | undefined
  #ended: Error | undefined
  #serial = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received = (this.#received + text).slice(-maxOutputBytes)
      this.#wake?.()
    })
    const end = (error?: Error): void => {
      this.#ended = error ?? new Error('serial console closed')
      this.#wake?.()
    }
    socket.on('error', end)
    socket.on('close', () => end())
  }

  /** Connects to the console socket and waits until a shell answers there. */
  static async connect(path: string, timeoutMs = 60_000): Promise<GuestShell> {
    const socket = connect(path)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    const shell = new GuestShell(socket)
    const until = Date.now() + timeoutMs
    // A guest that is still booting swallows what is typed, so the first command is typed until it is answered.
    for (;;) {
      try {
        socket.write("\n stty -echo; PS1=''; PS2=''\n")
        await shell.run('true', 3_000)
        return shell
      } catch (error) {
        if (Date.now() > until || shell.#ended) {
          shell.close()
          throw new Error(`no shell on the serial console within ${timeoutMs} ms`, { cause: error })
        }
      }
    }
  }

  /** Runs one command; rejects when it has not ended in time. */
  async run(command: string, timeoutMs = 60_000): Promise<CommandResult> {
    this.#serial += 1
    const mark = `@${process.pid}-${this.#serial}@`
    // The marks are put together by the shell, so that an echo of the line is not taken for its answer.
    this.#received = ''
    this.#socket.write(
      ` M='@${process.pid}-'; echo "\${M}${this.#serial}@begin"; { ${command}\n} </dev/null 2>&1; echo "\${M}${this.#serial}@end $?"\n`,
    )
    const pattern = new RegExp(`${mark}begin\\r?\\n([\\s\\S]*?)${mark}end (\\d+)`)
    const until = Date.now() + timeoutMs
    for (;;) {
      const match = pattern.exec(this.#received)
      if (match) return { output: (match[1] ?? '').replaceAll('\r', ''), code: Number(match[2]) }
      if (this.#ended) throw new Error(`guest command '${command}'`, { cause: this.#ended })
      const leftMs = until - Date.now()
      if (leftMs <= 0)
        throw new Error(
          `guest command '${command}' did not end in ${timeoutMs} ms; console: ${this.#received.slice(-500)}`,
        )
      await this.#data(leftMs)
    }
  }

  /** As `run`, but a command that fails is an error, and the answer is its trimmed output. */
  async must(command: string, timeoutMs?: number): Promise<string> {
    const { output, code } = await this.run(command, timeoutMs)
    if (code !== 0) throw new Error(`guest command '${command}' ended with ${code}: ${output.trim()}`)
    return output.trim()
  }

  close(): void {
    this.#socket.destroy()
  }

  #data(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), timeoutMs)
      this.#wake = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }
}
