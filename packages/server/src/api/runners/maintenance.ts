import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { Machine } from '../../domain/machine.ts'
import type { Maintenance } from '../../domain/maintenance.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

/** What became of a machine, and how many runners, of all accounts, are still on it. */
export interface MachineState {
  readonly machineId: string
  /** Absent for one that serves. */
  readonly maintenance: Maintenance | undefined
  readonly runners: number
}

const Which = z.object({
  /** May be left out where there is one machine. */
  machineId: z.string().optional(),
})

const longestSeconds = 7 * 86_400

/**
 * Takes a machine into maintenance, also across restarts: it gets no new runners, and those that it has finish their
 * requests and end with the reason `host_maintenance`; what still runs at the deadline is killed. Said again it changes
 * deadline and message. Throws `invalid_value` for a machine that nobody knows.
 */
export const drainMachine = operation(
  {
    permission: 'accounts:write',
    input: Which.extend({
      deadlineSeconds: z.number().optional(),
      message: z.string().max(500).optional(),
    }),
  },
  async (deps, _caller, { machineId, deadlineSeconds, message }): Promise<MachineState> => {
    const { id } = machineOf(deps, machineId)
    checkDeadline(deadlineSeconds)
    const now = deps.clock.now()
    await deps.runners.maintain({
      machineId: id,
      since: now,
      ...(deadlineSeconds === undefined ? {} : { deadline: now + deadlineSeconds * 1_000 }),
      ...(message === undefined ? {} : { message }),
    })
    return stateOf(deps, id)
  },
  {
    action: 'drain_machine',
    about: ({ machineId, deadlineSeconds, message }, state) => ({
      subject: state?.machineId ?? machineId ?? 'machine',
      ...(deadlineSeconds === undefined ? {} : { deadlineSeconds }),
      ...(message === undefined ? {} : { message }),
    }),
  },
)

/** A machine serves again: what waited for it starts at once. */
export const undrainMachine = operation(
  { permission: 'accounts:write', input: Which },
  async (deps, _caller, { machineId }): Promise<MachineState> => {
    const { id } = machineOf(deps, machineId)
    await deps.runners.endMaintenance(id)
    return stateOf(deps, id)
  },
  {
    action: 'undrain_machine',
    about: ({ machineId }, state) => ({ subject: state?.machineId ?? machineId ?? 'machine' }),
  },
)

/** The machines that are in maintenance, and how many runners each of them still has. */
export function machinesInMaintenance(
  deps: Pick<Deps, 'runners'>,
): readonly (MachineState & { maintenance: Maintenance })[] {
  return [...deps.runners.maintained().values()].map((maintenance) => ({
    ...stateOf(deps, maintenance.machineId),
    maintenance,
  }))
}

function stateOf({ runners }: Pick<Deps, 'runners'>, machineId: string): MachineState {
  const there = runners.placed().filter(({ placement }) => placement.machineId === machineId)
  return { machineId, maintenance: runners.maintained().get(machineId), runners: there.length }
}

function checkDeadline(seconds = 0): void {
  if (Number.isSafeInteger(seconds) && seconds >= 0 && seconds <= longestSeconds) return
  const message = `The deadline is ${seconds} s, but must be a whole number of seconds from 0 to ${longestSeconds}`
  throw new CarrickError('invalid_value', message)
}

function machineOf({ hardware: { machines } }: Deps, id: string | undefined): Machine {
  const [only, ...others] = machines
  const found = id === undefined && others.length === 0 ? only : machines.find((machine) => machine.id === id)
  if (found !== undefined) return found
  const which = id === undefined ? 'Which machine?' : `There is no machine "${id.slice(0, 128)}".`
  throw new CarrickError(
    'invalid_value',
    `${which} There ${machines.length === 1 ? 'is' : 'are'} ${machines.map((each) => each.id).join(', ')}`,
  )
}
