import type { Moment } from '../kit/clock.ts'
import type { AccountId, AppId, KeyId, RevisionId } from './ids.ts'

/** Usage is summed by the hour, in UTC. */
export const hourMs = 3_600_000

/**
 * Whether a call's share of its runner is its caller's to pay. Callers of a shared app pay for what they take, and an owner
 * does anyway, key by key; what anybody else calls is its owner's to pay (platform-behaviour.md §3.6). `callerId` is `''`
 * for somebody without a key.
 */
export function callerPays(
  callerId: AccountId | '',
  app: { readonly accountId: AccountId; readonly isShared: boolean },
): boolean {
  return callerId !== '' && (app.isShared || callerId === app.accountId)
}

/** What was used. Billable units are whole hundred-millionths, so that sums are exact in any order. */
export interface Quantities {
  readonly runnerMs: number
  readonly gpuMs: number
  readonly requests: number
  readonly units: number
}

export const nothing: Quantities = { runnerMs: 0, gpuMs: 0, requests: 0, units: 0 }

export function plus(one: Quantities, other: Quantities): Quantities {
  return {
    runnerMs: one.runnerMs + other.runnerMs,
    gpuMs: one.gpuMs + other.gpuMs,
    requests: one.requests + other.requests,
    units: one.units + other.units,
  }
}

/** What was used within one hour, of one app's one revision on one machine type, by one caller's one key. */
export interface UsagePart extends Quantities {
  readonly hour: Moment
  readonly appId: AppId
  /** `''` where the runner is not known any more. */
  readonly revisionId: RevisionId | ''
  readonly machineType: string
  readonly callerId: AccountId | ''
  readonly keyId: KeyId | ''
}

/** Parts of the same hour, app, revision, machine type and caller are one. */
export function summed(parts: Iterable<UsagePart>): readonly UsagePart[] {
  const sums = new Map<string, UsagePart>()
  for (const part of parts) {
    const key = JSON.stringify([part.hour, part.appId, part.revisionId, part.machineType, part.callerId, part.keyId])
    const before = sums.get(key)
    sums.set(key, before === undefined ? part : { ...before, ...plus(before, part) })
  }
  return [...sums.values()]
}

/** A runner as far as its time counts. */
export interface RunnerSpan {
  readonly appId: AppId
  readonly accountId: AccountId
  readonly revisionId: RevisionId
  readonly machineType: string
  readonly gpuCount: number
  /** When it was handed to its machine: from then on it is paid for, set-up included. */
  readonly startedAt: Moment
  readonly endedAt?: Moment
  /** When the server that had it was last known to be up, where that went down without ending it. */
  readonly knownUntil?: Moment
}

/** From when to when it is paid for, of what has happened until `now` (platform-behaviour.md §1.1, §1.10). */
export function paidSpan(
  { startedAt, endedAt = Infinity, knownUntil = Infinity }: RunnerSpan,
  now: Moment,
): { readonly from: Moment; readonly to: Moment } {
  return { from: startedAt, to: Math.max(startedAt, Math.min(endedAt, knownUntil, now)) }
}

/** A runner's time, hour by hour, all of it its owner's: what its callers pay is taken off elsewhere. */
export function partsOfRunner(runner: RunnerSpan, now: Moment): readonly UsagePart[] {
  const { appId, revisionId, machineType, gpuCount, accountId } = runner
  const of = { appId, revisionId, machineType, callerId: accountId, keyId: '' } as const
  return hoursIn(paidSpan(runner, now)).map(({ hour, ms }) => ({
    ...of,
    ...nothing,
    hour,
    runnerMs: ms,
    gpuMs: ms * gpuCount,
  }))
}

/** The hours that a span touches, and how much of it lies in each. */
export function hoursIn({ from, to }: { readonly from: Moment; readonly to: Moment }) {
  const hours: { readonly hour: Moment; readonly ms: number }[] = []
  for (let hour = hourOf(from); hour < to; hour += hourMs)
    hours.push({ hour, ms: Math.min(to, hour + hourMs) - Math.max(from, hour) })
  return hours
}

export const hourOf = (moment: Moment): Moment => moment - (moment % hourMs)

/** A decimal number of an app in hundred-millionths; 0 for what is none. */
export function unitsIn(text: string | undefined): number {
  const value = Number(text)
  return Number.isFinite(value) && value > 0 ? Math.round(value * 1e8) : 0
}
