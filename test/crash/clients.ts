import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { ClientOrder } from './client.ts'
import type { ClientEvent } from './history.ts'

const program = new URL('./client.ts', import.meta.url).pathname

/** Client processes at work, and the history that they have written so far. */
export class Clients {
  readonly history: ClientEvent[] = []
  readonly #children: readonly ChildProcess[]
  readonly #read: readonly Promise<void>[]

  constructor(orders: readonly ClientOrder[]) {
    this.#children = orders.map((order) =>
      spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, JSON.stringify(order)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    )
    this.#read = this.#children.map((child) => this.#follow(child))
  }

  /** How many events of a kind there are. */
  count(kind: ClientEvent['kind']): number {
    return this.history.reduce((sum, event) => sum + (event.kind === kind ? 1 : 0), 0)
  }

  /** Lets them finish what they follow, and waits for their last words. */
  async stop(): Promise<void> {
    for (const child of this.#children) child.stdin?.end()
    await Promise.all(this.#read)
  }

  kill(): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }

  async #follow(child: ChildProcess): Promise<void> {
    for await (const line of createInterface({ input: child.stdout! }))
      this.history.push(JSON.parse(line) as ClientEvent)
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}
