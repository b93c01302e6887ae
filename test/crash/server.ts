import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const startMs = 180_000

/** How a server process ended. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** One data folder's server, which comes and goes on one port. */
export class CrashServer {
  readonly #program: string
  readonly #folder: string
  readonly #settings: Record<string, string>
  #process: ChildProcess | undefined
  /** How the last one ended. */
  #end: End = { code: null, signal: null }
  #port = 0
  /** What the last one said on stderr, for when it ends as nobody asked. */
  #said: string[] = []

  constructor(program: string, folder: string, settings: Record<string, string>) {
    this.#program = program
    this.#folder = folder
    this.#settings = settings
  }

  /** The one that the first start took. */
  get port(): number {
    return this.#port
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  get isUp(): boolean {
    return this.#process !== undefined
  }

  get said(): string {
    return this.#said.join('\n')
  }

  /** Starts it. False when it ended before it was ready: then somebody struck it down while it started. */
  async up(variables: Record<string, string> = {}): Promise<boolean> {
    const args = ['--disable-warning=ExperimentalWarning', '--conditions=carrick-source', this.#program, 'up']
    const child = spawn(
      process.execPath,
      [...args, '--port', String(this.#port), '--data', this.#folder, '--owner', 'tester'],
      { env: { ...process.env, ...this.#settings, ...variables }, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.#process = child
    this.#said = []
    createInterface({ input: child.stderr }).on('line', (line) => (this.#said = [...this.#said.slice(-20), line]))
    child.once('exit', (code, signal) => {
      this.#end = { code, signal }
      if (this.#process === child) this.#process = undefined
    })
    const late = setTimeout(() => child.kill('SIGKILL'), startMs)
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        const [, port] = /^Carrick is ready at https:\/\/[^ ]*:(\d+)/.exec(line) ?? []
        if (port === undefined) continue
        this.#port = Number(port)
        return true
      }
      await this.ended(startMs) // its output ends a little earlier
      return false
    } finally {
      clearTimeout(late)
    }
  }

  /** Waits for its end; undefined when it is still there then. Where none is there it is how the last one ended. */
  async ended(withinMs: number): Promise<End | undefined> {
    const child = this.#process
    if (child === undefined) return this.#end
    if (child.exitCode === null && child.signalCode === null) {
      const signal = AbortSignal.timeout(withinMs)
      const seen = await once(child, 'exit', { signal }).catch(() => undefined)
      if (seen === undefined) return undefined
    }
    return { code: child.exitCode, signal: child.signalCode }
  }

  /** Sends it a signal and waits until it is gone. */
  async down(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    child.kill(signal)
    if ((await this.ended(startMs)) === undefined) {
      child.kill('SIGKILL')
      throw new Error(`the server did not end within ${startMs} ms of ${signal}:\n${this.said}`)
    }
    this.#process = undefined
  }
}
