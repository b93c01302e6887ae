import type { Clock, Moment } from '../kit/clock.ts'
import type { RequestId, RunnerId } from '../domain/ids.ts'
import type { Address } from '../domain/runner.ts'
import type { RunnerLoad, ServingRunner, Slot, Thaw } from './home.ts'

interface Member {
  runner: ServingRunner
  /** With the moment at which each began. */
  readonly inFlight: Map<RequestId, Moment>
  /** What it last said that it is good for. */
  hints?: readonly string[]
  idleSince: Moment
  used: boolean
  /** It has answered somebody: what it loads for the first request is loaded. */
  proven: boolean
  serving: boolean
  /** While it is frozen. */
  frozen: Frozen | undefined
}

interface Frozen {
  readonly since: Moment
  readonly thaw: Thaw
}

/** Which runner a request would rather have. */
interface Preference {
  readonly avoid?: RunnerId
  readonly hint?: string
}

/** One app's runners and their slots. Former runners stay known until their last slot is given back. */
export class Crew {
  readonly #clock: Clock
  readonly #onFree: () => void
  readonly #onLeft: () => void
  readonly #members = new Map<RunnerId, Member>()
  #serving: readonly Member[] = []
  #spare: readonly Member[] = []
  #frozen: readonly Member[] = []
  /** Also those that are no members at the moment, and may become some again. */
  readonly #allFrozen = new Map<RunnerId, Frozen>()
  #retired: ReadonlySet<RunnerId> = new Set()
  #multiplexing = 1
  #free = 0
  #running = 0
  #turn = 0

  /** `onFree` is called when there may be more free slots than before, `onLeft` when a former runner has none taken. */
  constructor(clock: Clock, onFree: () => void, onLeft: () => void) {
    this.#clock = clock
    this.#onFree = onFree
    this.#onLeft = onLeft
  }

  get free(): number {
    return this.#free
  }

  get running(): number {
    return this.#running
  }

  /** A slot on the next runner in turn that has one: where that can be one that advertises the hint, and another than `avoid`. */
  take(requestId: RequestId, { avoid, hint }: Preference = {}): Slot | undefined {
    if (this.#free === 0) return undefined
    const other = ({ runner }: Member) => runner.id !== avoid
    const hinted =
      hint === undefined ? undefined : this.#first((one) => other(one) && one.hints?.includes(hint) === true)
    const member = hinted ?? this.#first(other) ?? this.#first(() => true)
    return member && this.#hold(member, requestId)
  }

  setRunners(runners: readonly ServingRunner[]): void {
    const ids = new Set(runners.map(({ id }) => id))
    this.#retired = new Set([...this.#retired].filter((id) => ids.has(id)))
    for (const runner of runners) {
      const member = this.#members.get(runner.id)
      if (member === undefined) this.#members.set(runner.id, this.#join(runner))
      else member.runner = runner
    }
    for (const member of this.#members.values())
      member.serving = ids.has(member.runner.id) && !this.#retired.has(member.runner.id)
    this.#recount()
  }

  retire(id: RunnerId): void {
    const member = this.#members.get(id)
    if (member === undefined) return
    this.#retired = new Set([...this.#retired, id])
    member.serving = false
    this.#recount()
  }

  advertise(id: RunnerId, hints: readonly string[]): void {
    const member = this.#members.get(id)
    if (member !== undefined) member.hints = hints
  }

  freeze(id: RunnerId, thaw: Thaw): boolean {
    const member = this.#members.get(id)
    if (member === undefined || !member.serving || member.inFlight.size > 0) return false
    member.frozen = { since: this.#clock.now(), thaw }
    this.#allFrozen.set(id, member.frozen)
    this.#recount()
    return true
  }

  thawed(id: RunnerId): void {
    this.#allFrozen.delete(id)
    const member = this.#members.get(id)
    if (member?.frozen === undefined) return
    member.frozen = undefined
    this.#recount()
  }

  setMultiplexing(requestsPerRunner: number): void {
    if (requestsPerRunner === this.#multiplexing) return
    this.#multiplexing = requestsPerRunner
    this.#recount()
  }

  load(): ReadonlyMap<RunnerId, RunnerLoad> {
    return new Map(Array.from(this.#members, ([id, member]) => [id, loadOf(member)]))
  }

  #join(runner: ServingRunner): Member {
    const frozen = this.#allFrozen.get(runner.id)
    const idleSince = this.#clock.now()
    return { runner, inFlight: new Map(), idleSince, used: false, proven: false, serving: true, frozen }
  }

  /**
   * The next in turn that has a free slot and fits; a frozen one only where no other does, and a spare one where none of those
   * does. A runner that has answered nobody yet is slow: it gets a second request before its first answer only where nobody
   * else could take that.
   */
  #first(fits: (member: Member) => boolean): Member | undefined {
    const isWarm = (member: Member) => (member.proven || member.inFlight.size === 0) && fits(member)
    const member = this.#next(this.#serving, isWarm)
    return member ?? this.#next(this.#frozen, fits) ?? this.#next(this.#spare, fits) ?? this.#next(this.#serving, fits)
  }

  /** The first with a free slot, starting behind the one that was taken last. */
  #next(among: readonly Member[], fits: (member: Member) => boolean): Member | undefined {
    for (let step = 0; step < among.length; step += 1) {
      const at = (this.#turn + step) % among.length
      const member = among[at]!
      if (member.inFlight.size >= this.#atOnce(member) || !fits(member)) continue
      this.#turn = at + 1
      return member
    }
    return undefined
  }

  #atOnce({ runner }: Member): number {
    return runner.atOnce ?? this.#multiplexing
  }

  #hold(member: Member, requestId: RequestId): Slot {
    member.inFlight.set(requestId, this.#clock.now())
    member.used = true
    this.#free -= 1
    this.#running += 1
    return new HeldSlot(member, () => this.#giveBack(member, requestId))
  }

  #giveBack(member: Member, requestId: RequestId): void {
    member.inFlight.delete(requestId)
    member.proven = true
    this.#running -= 1
    if (member.inFlight.size === 0) member.idleSince = this.#clock.now()
    if (!member.serving) this.#leave(member)
    else if (member.inFlight.size < this.#atOnce(member)) this.#free += 1
    this.#onFree()
  }

  #leave({ inFlight }: Member): void {
    this.#forgetFormer()
    if (inFlight.size === 0) this.#onLeft()
  }

  #recount(): void {
    this.#forgetFormer()
    const serving = [...this.#members.values()].filter((member) => member.serving)
    const going = serving.filter(({ frozen }) => frozen === undefined)
    this.#serving = going.filter(({ runner }) => runner.spare !== true)
    this.#spare = going.filter(({ runner }) => runner.spare === true)
    this.#frozen = serving.filter(({ frozen }) => frozen !== undefined)
    this.#free = serving.reduce((sum, one) => sum + Math.max(0, this.#atOnce(one) - one.inFlight.size), 0)
    this.#onFree()
  }

  #forgetFormer(): void {
    for (const [id, { serving, inFlight }] of this.#members) {
      if (!serving && inFlight.size === 0 && !this.#retired.has(id)) this.#members.delete(id)
    }
  }
}

function loadOf({ inFlight, idleSince, used, frozen }: Member): RunnerLoad {
  return {
    inFlight: inFlight.size,
    idleSince: inFlight.size === 0 ? idleSince : undefined,
    used,
    ...(frozen && { frozenSince: frozen.since }),
    requests: Array.from(inFlight, ([id, since]) => ({ id, since })),
  }
}

class HeldSlot implements Slot {
  readonly runnerId: RunnerId
  readonly revisionId: string
  readonly address: Address
  readonly cameUp: ServingRunner['cameUp']
  readonly #member: Member
  #giveBack: (() => void) | undefined

  constructor(member: Member, giveBack: (() => void) | undefined) {
    const { runner } = member
    this.runnerId = runner.id
    this.revisionId = runner.revisionId
    this.address = runner.address
    this.cameUp = runner.cameUp
    this.#member = member
    this.#giveBack = giveBack
  }

  get thaw(): Thaw | undefined {
    return this.#member.frozen?.thaw
  }

  release(): void {
    const giveBack = this.#giveBack
    this.#giveBack = undefined
    giveBack?.()
  }

  keep(): Slot {
    const kept = new HeldSlot(this.#member, this.#giveBack)
    this.#giveBack = undefined
    return kept
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
