import { DrainMachine, MachineDrain, Machines } from '@carrick/protocol/platform'
import type { MachinesView, MachineView, TypeView } from '../../runners/machines.ts'
import { showMachines } from '../../runners/machines.ts'
import { drainMachine, undrainMachine, type MachineState } from '../../runners/maintenance.ts'
import type { Maintenance } from '../../../domain/maintenance.ts'
import { described } from './described.ts'

/** What runners run on. */
export const machineRoutes = [
  described('GET', '/v1/machines', showMachines, {
    summary: 'The machines, what your runners use of them, the machine types, and which of these fit',
    answer: Machines,
    read: () => ({}),
    show: ({ machines, types, waiting, rules }) => ({
      machines: machines.map(shownMachine),
      machine_types: types.map(shownType),
      waiting: waiting.map(({ id, ...rest }) => ({ runner_id: id, ...rest })),
      rules: shownRules(rules),
    }),
  }),
  described('POST', '/v1/machines/drain', drainMachine, {
    summary: 'Takes a machine into maintenance: it gets no new runners, and those that it has finish and end',
    body: DrainMachine,
    answer: MachineDrain,
    read: ({ body }) => ({ machineId: body.machine, deadlineSeconds: body.deadline_seconds, message: body.message }),
    show: shownState,
  }),
  described('POST', '/v1/machines/undrain', undrainMachine, {
    summary: 'A machine in maintenance gets runners again',
    body: DrainMachine.pick({ machine: true }),
    answer: MachineDrain,
    read: ({ body }) => ({ machineId: body.machine }),
    show: shownState,
  }),
]

function shownState({ machineId, maintenance, runners }: MachineState) {
  return { machine: machineId, maintenance: shownMaintenance(maintenance), runners }
}

function shownMaintenance(maintenance: Maintenance | undefined) {
  if (maintenance === undefined) return null
  const { since, deadline, message } = maintenance
  return { since: iso(since), deadline: deadline === undefined ? null : iso(deadline), message: message ?? null }
}

const iso = (moment: number) => new Date(moment).toISOString()

function shownMachine({ id, region, cpus, memoryBytes, gpus, runners, maintenance }: MachineView) {
  return {
    id,
    region,
    cpus,
    memory_bytes: memoryBytes,
    maintenance: shownMaintenance(maintenance),
    gpus: gpus.map((gpu) => ({
      index: gpu.index,
      uuid: gpu.uuid ?? null,
      name: gpu.name,
      memory_bytes: gpu.memoryBytes ?? null,
      runner_id: gpu.runnerId ?? null,
    })),
    runners: runners.map(({ id: runnerId, app, placement }) => ({
      runner_id: runnerId,
      app: app ?? null,
      machine_type: placement.machineType,
      cpus: placement.cpus,
      memory_bytes: placement.memoryBytes,
      gpus: [...placement.gpus],
    })),
  }
}

function shownType({ name, cpus, memoryBytes, gpu, gpus, pricePerSecond, fits }: TypeView) {
  return {
    name,
    cpus,
    gpus,
    fits,
    memory_bytes: memoryBytes,
    gpu: gpu ?? null,
    price_per_second: pricePerSecond ?? null,
  }
}

function shownRules(rules: MachinesView['rules']) {
  return {
    cpu_overcommit: rules.cpuOvercommit,
    memory_overcommit: rules.memoryOvercommit,
    runners_per_machine: rules.runnersPerMachine,
    runners_per_account: rules.runnersPerAccount,
    gpus_per_account: rules.gpusPerAccount,
    unplaceable: rules.unplaceable,
  }
}
