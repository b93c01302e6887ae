import type { Moment } from '../kit/clock.ts'
import type { MachineType } from './machine.ts'
import { hourOf, type Quantities } from './usage.ts'

/** What a machine type costs from an hour on, until there is a later one of it. */
export interface PriceSince {
  readonly machineType: string
  /** A full hour. */
  readonly since: Moment
  /** Of one runner with `gpus` GPUs, or of one without any; 0 for nothing. */
  readonly perSecond: number
  readonly gpus: number
}

/** The prices that are new: an operator's catalogue against what was in force before. They count from this hour on. */
export function newPrices(
  catalogue: readonly MachineType[],
  before: readonly PriceSince[],
  now: Moment,
): readonly PriceSince[] {
  const since = hourOf(now)
  const wanted = catalogue.map(({ name, pricePerSecond: perSecond = 0, gpus }) => ({
    machineType: name,
    since,
    perSecond,
    gpus,
  }))
  const named = new Set(catalogue.map(({ name }) => name))
  const gone = [...new Set(before.map(({ machineType }) => machineType))].filter((name) => !named.has(name))
  return [...wanted, ...gone.map((machineType) => ({ machineType, since, perSecond: 0, gpus: 0 }))].filter((price) => {
    const last = priceAt(before, price.machineType, now)
    return last === undefined ? price.perSecond > 0 : last.perSecond !== price.perSecond || last.gpus !== price.gpus
  })
}

/** What was in force then; undefined when nothing was said yet. */
export function priceAt(prices: readonly PriceSince[], machineType: string, moment: Moment): PriceSince | undefined {
  return prices
    .filter((price) => price.machineType === machineType && price.since <= moment)
    .reduce<PriceSince | undefined>((last, price) => (last && last.since > price.since ? last : price), undefined)
}

/** A runner with twice the GPUs that the price is of costs twice as much (platform-behaviour.md §1.10). */
export function pricedSeconds({ runnerMs, gpuMs }: Quantities, gpus: number): number {
  return (gpus > 0 && gpuMs !== 0 ? gpuMs / gpus : runnerMs) / 1_000
}

export function costOf(quantities: Quantities, price: PriceSince | undefined): number {
  return price === undefined ? 0 : pricedSeconds(quantities, price.gpus) * price.perSecond
}

interface Span {
  readonly from: Moment
  readonly to: Moment
}

/** A span in parts within which no price changes. */
export function steadily(prices: readonly PriceSince[], { from, to }: Span): readonly Span[] {
  const changes = prices.map(({ since }) => since).filter((since) => since > from && since < to)
  const edges = [from, ...new Set(changes.toSorted((one, other) => one - other)), to]
  return edges.slice(1).map((end, at) => ({ from: edges[at] ?? from, to: end }))
}
