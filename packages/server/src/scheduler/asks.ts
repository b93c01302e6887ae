import { CarrickError } from '../domain/errors.ts'
import type { RunnerId } from '../domain/ids.ts'
import { drain, killBy, terminate, type StopReason } from '../domain/runner.ts'
import type { Moment } from '../kit/clock.ts'
import type { Draft } from './draft.ts'
import type { Memory } from './memory.ts'

/** What somebody wants of one runner: to let it finish, to have it replaced first, to end it soon or now. */
export type Wish =
  | { readonly kind: 'stop' }
  | { readonly kind: 'replace'; readonly reason: StopReason }
  | { readonly kind: 'end'; readonly reason: StopReason; readonly withinMs: number }

export interface Ask {
  readonly id: RunnerId
  readonly wish: Wish
}

type Waiting = Ask & PromiseWithResolvers<void>

/** Wishes that wait for the next pass. They stay until one is stored. */
export class Asks {
  readonly #memory: Pick<Memory, 'replace'>
  readonly #waiting = new Set<Waiting>()
  #closed = false

  constructor(memory: Pick<Memory, 'replace'>) {
    this.#memory = memory
  }

  async add(ask: Ask): Promise<void> {
    if (this.#closed) throw shuttingDown()
    const waiting = { ...ask, ...Promise.withResolvers<void>() }
    this.#waiting.add(waiting)
    await waiting.promise
  }

  /** Puts the wishes into the draft. What it returns is called when that is stored. */
  grant(draft: Draft, now: Moment): () => void {
    const granted = [...this.#waiting]
    for (const ask of granted) this.#grantOne(ask, draft, now)
    return () => {
      for (const ask of granted) {
        this.#waiting.delete(ask)
        ask.resolve()
      }
    }
  }

  close(): void {
    this.#closed = true
    for (const { reject } of this.#waiting) reject(shuttingDown())
    this.#waiting.clear()
  }

  #grantOne({ id, wish }: Ask, draft: Draft, now: Moment): void {
    const runner = draft.get(id)
    if (runner === undefined) return // it has ended meanwhile, which was the wish
    const reason = wish.kind === 'stop' ? 'stopped' : wish.reason
    if (runner.state === 'pending' || runner.state === 'setup') return draft.put(terminate(runner, reason, now))
    if (wish.kind === 'replace' && runner.state === 'serving') return this.#memory.replace(id, wish.reason)
    const draining = runner.state === 'serving' ? drain(runner, reason, now) : runner
    draft.put(wish.kind === 'end' ? killBy(draining, now + wish.withinMs) : draining)
  }
}

export const unknownRunner = (id: RunnerId) =>
  new CarrickError('runner_not_found', `Runner "${id}" not found: \`fal runners list\` shows those that there are`)

const shuttingDown = () => new CarrickError('draining', 'This server is shutting down, and its runners with it')
