import type { Moment } from '../kit/clock.ts'
import type { LiveRunner } from './runner.ts'

/** A machine that gets no new runners and lets go of those that it has, until somebody says that it serves again. */
export interface Maintenance {
  readonly machineId: string
  readonly since: Moment
  /** What still runs there then is killed. Absent: its requests and its teardown end it, as every other runner that drains. */
  readonly deadline?: Moment
  /** Why, for people. */
  readonly message?: string
}

/** The machines that are in maintenance, by their ids. */
export type Maintained = ReadonlyMap<string, Maintenance>

/**
 * What becomes of a runner whose machine is in maintenance (platform-behaviour.md §1.5, host maintenance: drain). One that
 * serves finishes its requests; one that does not serve yet has none. What drains already goes on, until the deadline.
 */
export function leaving(runner: LiveRunner, maintained: Maintained, now: Moment): 'stay' | 'drain' | 'cancel' | 'kill' {
  const maintenance = maintenanceOf(runner, maintained)
  if (maintenance === undefined) return 'stay'
  if (runner.state === 'pending' || runner.state === 'setup') return 'cancel'
  if (now >= (maintenance.deadline ?? Infinity)) return 'kill'
  return runner.state === 'serving' ? 'drain' : 'stay'
}

/** That of the machine on which a runner is. */
export function maintenanceOf({ placement }: LiveRunner, maintained: Maintained): Maintenance | undefined {
  return placement && maintained.get(placement.machineId)
}
