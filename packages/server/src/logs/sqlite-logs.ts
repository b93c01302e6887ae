import { mkdir } from 'node:fs/promises'
import { CarrickError } from '../domain/errors.ts'
import type { RequestId, RunnerId } from '../domain/ids.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { Backlog, type BacklogBounds, type DropReason, Quota } from './admission.ts'
import { dayOf } from './days.ts'
import { cutTo, ownerOf, weightOf } from './line.ts'
import type { LogFilter, LogLine, LogPage, LogQuery, LogStore, LogTail } from './log-store.ts'
import { type Drop, type Found, pack, type PackedLine } from './messages.ts'
import { Ring, type RingBounds, Rings } from './rings.ts'
import { type TailBounds, Tails } from './tails.ts'
import { LogThread } from './thread.ts'

export interface LogStoreOptions {
  readonly folder: string
  readonly clock: Clock
  readonly log: Logger
  /** Lines of one app on one UTC day. */
  readonly linesPerApp?: number
  /** Today counts as one of them. */
  readonly retentionDays?: number
  readonly bytesPerLine?: number
  /** What may wait for the disk. */
  readonly backlog?: BacklogBounds
  /** Who may follow lines as they come, and how far behind. */
  readonly tails?: TailBounds
}

/** A batch goes to the thread when it is this long, or this old. */
const batchLines = 500
const batchMs = 50

/** One answer holds at most so many lines. */
const mostLines = 10_000

const mebibyte = 1024 * 1024
const runnerRing: RingBounds = { lines: 500, weight: mebibyte / 2 }
const requestRing: RingBounds = { lines: 1_000, weight: mebibyte }

/** Opens the log files of a folder: one SQLite file per UTC day. The folder belongs to this process alone. */
export async function openLogStore(options: LogStoreOptions): Promise<LogStore> {
  await mkdir(options.folder, { recursive: true })
  return new SqliteLogs(options)
}

/** Takes lines in, bounds them, and hands them to the thread in batches; answers from memory where it can. */
class SqliteLogs implements LogStore {
  readonly #clock: Clock
  readonly #bytesPerLine: number
  readonly #quota: Quota
  readonly #backlog: Backlog
  readonly #thread: LogThread
  readonly #tails: Tails
  readonly #runners = new Rings<RunnerId>({ rings: 2_000, weight: 16 * mebibyte })
  readonly #requests = new Rings<RequestId>({ rings: 10_000, weight: 16 * mebibyte })
  /** Rings whose older lines are on their way from the disk. */
  readonly #filling = new Set<Ring>()
  readonly #drops = new Map<string, Drop>()
  readonly #sent: ReadonlyMap<string, number>[] = []
  #lines: PackedLine[] = []
  #weights = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #dropped = 0

  constructor(options: LogStoreOptions) {
    const { folder, clock, log, linesPerApp = 1_000_000, retentionDays = 30, bytesPerLine = 32_768 } = options
    this.#clock = clock
    this.#bytesPerLine = bytesPerLine
    this.#quota = new Quota(linesPerApp)
    this.#backlog = new Backlog(options.backlog ?? { weight: 64 * mebibyte, weightPerOwner: 16 * mebibyte })
    this.#tails = new Tails(options.tails ?? { readers: 500, weight: 4 * mebibyte })
    this.#thread = new LogThread({ folder, retentionDays, linesPerApp }, log, {
      appended: () => this.#backlog.release(this.#sent.shift() ?? new Map()),
      counted: (day, counts) => this.#quota.add(day, counts),
      lost: () => this.#sent.splice(0).forEach((batch) => this.#backlog.release(batch)),
    })
  }

  get dropped(): number {
    return this.#dropped
  }

  append(uncut: LogLine): void {
    if (this.#isClosed) return
    const line = cutTo(this.#bytesPerLine, uncut)
    const owner = ownerOf(line)
    const weight = weightOf(line)
    if (!this.#backlog.admits(owner, weight)) return this.#drop(line, owner, 'flood')
    if (!this.#quota.admits(owner, dayOf(line.at))) {
      this.#backlog.release(new Map([[owner, weight]]))
      return this.#drop(line, owner, 'daily')
    }
    this.#lines.push(pack(line))
    this.#weights.set(owner, (this.#weights.get(owner) ?? 0) + weight)
    this.#remember(line)
    this.#tails.push(line)
    this.#sendSoon()
  }

  async page(query: LogQuery): Promise<LogPage> {
    const limit = Math.min(query.limit, mostLines)
    if (limit < 1) return { lines: [] }
    const { lines: found, stoppedAt } = await this.#read({ ...query, limit: limit + 1 })
    const leftOut = found[limit]
    if (leftOut === undefined) return { lines: found, ...(stoppedAt === undefined ? {} : { nextUntil: stoppedAt }) }
    const whole = found.filter(({ at }) => at > leftOut.at)
    return whole.length > 0
      ? { lines: whole, nextUntil: leftOut.at + 1 }
      : { lines: found.slice(0, limit), nextUntil: leftOut.at } // more of them than a page holds
  }

  async query(query: LogQuery): Promise<readonly LogLine[]> {
    const limit = Math.min(query.limit, mostLines)
    const lines: LogLine[] = []
    for (let until = query.until; lines.length < limit;) {
      const rest = { ...query, ...(until === undefined ? {} : { until }), limit: limit - lines.length }
      const found = await this.#read(rest)
      lines.push(...found.lines)
      if (found.stoppedAt === undefined) break
      until = found.stoppedAt
    }
    return lines
  }

  tail(runnerId: RunnerId, limit: number): readonly LogLine[] {
    return this.#runners.get(runnerId)?.newest(limit) ?? []
  }

  follow(filter: LogFilter): LogTail {
    return this.#tails.open(filter)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#send()
    await this.#thread.close()
  }

  #remember(line: LogLine): void {
    const { runnerId, requestId } = line
    if (requestId !== undefined) this.#requests.push(requestId, line)
    if (runnerId === undefined) return
    if (this.#runners.get(runnerId) === undefined) this.#runners.set(runnerId, new Ring(runnerRing, false))
    this.#runners.push(runnerId, line)
  }

  async #read(query: LogQuery): Promise<Found> {
    if (this.#isClosed)
      throw new CarrickError('draining', 'the server is stopping: logs can be read again when it is back')
    const known = this.#recall(query)
    return known === undefined ? this.#find(query) : { lines: known }
  }

  /** From memory, when a ring knows all that is asked for. */
  #recall(query: LogQuery): readonly LogLine[] | undefined {
    const ring = isPlain(query) ? this.#requests.get(query.requestId) : undefined
    if (ring === undefined || this.#filling.has(ring) || !ring.knows(query.limit)) return undefined
    return newestFirst(ring.newest(query.limit)).filter((line) => belongsTo(line, query))
  }

  async #find(query: LogQuery): Promise<Found> {
    this.#send()
    const today = dayOf(this.#clock.now())
    return isPlain(query) ? await this.#findAndKeep(query, today) : await this.#thread.query(query, today)
  }

  /** Who asks for a request's lines asks again: from now on the answer is kept in memory, and added to. */
  async #findAndKeep(query: PlainQuery, today: number): Promise<Found> {
    const { requestId, limit } = query
    const newer = new Ring(requestRing, true)
    this.#filling.add(newer)
    this.#requests.set(requestId, newer)
    try {
      const { lines: found, stoppedAt } = await this.#thread.query({ requestId, limit }, today)
      const isWhole = found.length < limit && stoppedAt === undefined
      if (this.#requests.get(requestId) === newer) this.#requests.set(requestId, joined(found, isWhole, newer))
      const lines = found.filter((line) => belongsTo(line, query))
      return { lines, ...(stoppedAt === undefined ? {} : { stoppedAt }) }
    } catch (error) {
      if (this.#requests.get(requestId) === newer) this.#requests.set(requestId, new Ring(requestRing, false))
      throw error
    } finally {
      this.#filling.delete(newer)
    }
  }

  #drop({ at, accountId, appId }: LogLine, owner: string, reason: DropReason): void {
    this.#dropped += 1
    const key = `${reason} ${dayOf(at)} ${owner}`
    const lines = (this.#drops.get(key)?.lines ?? 0) + 1
    this.#drops.set(key, { owner, reason, accountId, appId: appId ?? null, at, lines })
    this.#sendSoon()
  }

  #sendSoon(): void {
    if (this.#lines.length >= batchLines) return this.#send()
    this.#timer ??= setTimeout(() => this.#send(), batchMs).unref()
  }

  #send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#lines.length === 0 && this.#drops.size === 0) return
    const batch = { lines: this.#lines, drops: [...this.#drops.values()], today: dayOf(this.#clock.now()) }
    this.#sent.push(this.#weights)
    this.#lines = []
    this.#weights = new Map()
    this.#drops.clear()
    this.#thread.append(batch)
  }
}

type PlainQuery = LogQuery & { readonly requestId: RequestId }

/** Asks for the newest lines of one request and nothing else, as status polls do. */
function isPlain(query: LogQuery): query is PlainQuery {
  const { requestId, accountId: _account, appId: _app, limit: _limit, ...others } = query
  return requestId !== undefined && Object.values(others).every((filter) => filter === undefined)
}

/** All lines of a request have one account and one app, so this keeps all or none. */
function belongsTo(line: LogLine, { accountId, appId }: LogQuery): boolean {
  return (accountId ?? line.accountId) === line.accountId && (appId ?? line.appId) === line.appId
}

function newestFirst(lines: readonly LogLine[]): readonly LogLine[] {
  return lines.toReversed().toSorted((one, other) => other.at - one.at)
}

/** What the disk had, newest first, and the lines that came since. */
function joined(found: readonly LogLine[], isWhole: boolean, newer: Ring): Ring {
  const ring = new Ring(requestRing, isWhole && newer.knows(requestRing.lines))
  for (const line of [...found.toReversed(), ...newer.newest(requestRing.lines)]) ring.push(line)
  return ring
}
