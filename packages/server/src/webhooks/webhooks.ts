/**
 * Webhooks: tells receivers of the outcomes of requests, until they have heard.
 * Reads what is due, results and blobs; writes how deliveries ended; goes to addresses that tenants chose, by the rule of
 * `kit/reach.ts`. One per installation. It rests until something is due, so an installation without webhooks pays nothing.
 */
import { setTimeout as rest } from 'node:timers/promises'
import type { RequestId } from '../domain/ids.ts'
import { begunNow, busyHosts, type DeliveryLimits } from '../domain/webhook.ts'
import { dueWebhooks, nextWebhookAt, type DueWebhook } from '../store/webhooks.ts'
import { deliver } from './deliver.ts'
import type { WebhookParts } from './parts.ts'

/** Deliveries that ended since the start, by what followed. */
export interface DeliveryCounts {
  readonly delivered: number
  readonly again: number
  readonly failed: number
}

export interface Webhooks {
  readonly counts: DeliveryCounts
  /** Looks at what is due now. Nobody needs to but those who move the clock. */
  wake(): void
  /** Begins nothing more and waits for what is under way. What still is after `graceMs` is cut off: the next start sends it again. */
  stop(limits: { graceMs: number }): Promise<void>
}

export function startWebhooks(parts: WebhookParts): Webhooks {
  return new Deliveries(parts)
}

/** A host has a part of them, so that one that does not answer leaves room for the others. */
const usualLimits: DeliveryLimits = { inAll: 64, perHost: 16 }
/** How long it rests when the store cannot be read. */
const troubleMs = 5_000

class Deliveries implements Webhooks {
  readonly #parts: WebhookParts
  readonly #limits: DeliveryLimits
  readonly #cutOff = new AbortController()
  readonly #underWay = new Map<RequestId, { readonly host: string; readonly work: Promise<void> }>()
  /** What ended while a pass was reading, and may still stand in what it read. */
  readonly #justEnded = new Set<RequestId>()
  readonly #counts = { delivered: 0, again: 0, failed: 0 }
  readonly #stopListening: () => void
  #passing: Promise<void> | undefined
  #woken = false
  #stopped = false
  #timer: NodeJS.Timeout | undefined

  constructor(parts: WebhookParts) {
    this.#parts = parts
    this.#limits = parts.limits ?? usualLimits
    this.#stopListening = parts.store.onChange('webhook', () => this.wake())
    this.wake()
  }

  get counts(): DeliveryCounts {
    return { ...this.#counts }
  }

  wake(): void {
    this.#woken = true
    if (this.#stopped) return
    this.#passing ??= this.#passes().finally(() => {
      this.#passing = undefined
      if (this.#woken) this.wake() // by what came between the last pass and this
    })
  }

  async stop({ graceMs }: { graceMs: number }): Promise<void> {
    this.#stopped = true
    this.#stopListening()
    clearTimeout(this.#timer)
    const over = new AbortController()
    await Promise.race([this.#idle(), rest(graceMs, undefined, { signal: over.signal }).catch(() => {})])
    over.abort()
    this.#cutOff.abort()
    await this.#idle()
  }

  async #idle(): Promise<void> {
    await this.#passing
    await Promise.all([...this.#underWay.values()].map(({ work }) => work))
  }

  /** One after the other, as long as somebody woke it meanwhile. */
  async #passes(): Promise<void> {
    while (this.#woken && !this.#stopped) {
      this.#woken = false
      clearTimeout(this.#timer)
      await this.#pass().catch((error: unknown) => {
        this.#parts.log.error({ err: error }, 'webhooks that are due could not be read; they will be looked at again')
        this.#ringIn(troubleMs)
      })
    }
  }

  /** Begins what is due and has room, and sets the alarm for what comes next. */
  async #pass(): Promise<void> {
    const { store, clock } = this.#parts
    const now = clock.now()
    while (!this.#stopped && this.#underWay.size < this.#limits.inAll) {
      const due = await this.#due(now)
      if (this.#stopped) return
      const begun = begunNow(due, this.#hosts(), this.#limits)
      for (const each of begun) this.#begin(each)
      if (begun.length === 0) break
    }
    const next = await store.read(nextWebhookAt(now))
    if (next !== undefined) this.#ringIn(Math.max(0, next - clock.now()))
  }

  /** Longest due first; room for those that are under way, which are due as long as their end is not on disk. */
  async #due(now: number): Promise<readonly DueWebhook[]> {
    this.#justEnded.clear()
    const { inAll } = this.#limits
    const rows = await this.#parts.store.read(dueWebhooks(now, busyHosts(this.#hosts(), this.#limits), 2 * inAll))
    return rows.filter(({ requestId }) => !this.#underWay.has(requestId) && !this.#justEnded.has(requestId))
  }

  #begin(due: DueWebhook): void {
    const { requestId, host } = due
    const work = deliver(due, this.#parts, this.#cutOff.signal)
      .then((followed) => void (this.#counts[followed] += 1))
      .catch((error: unknown) => this.#report(error, requestId))
      .finally(() => {
        this.#underWay.delete(requestId)
        this.#justEnded.add(requestId)
        this.wake()
      })
    this.#underWay.set(requestId, { host, work })
  }

  #hosts(): readonly string[] {
    return [...this.#underWay.values()].map(({ host }) => host)
  }

  #ringIn(ms: number): void {
    clearTimeout(this.#timer)
    if (!this.#stopped) this.#timer = setTimeout(() => this.wake(), ms)
  }

  #report(error: unknown, requestId: RequestId): void {
    if (this.#cutOff.signal.aborted) return
    this.#parts.log.error({ err: error, requestId }, 'a webhook met something unforeseen; it will be sent again')
  }
}
