import { Machines } from '@carrick/protocol/platform'
import type { MachinesView, MachineView, TypeView } from '../../runners/machines.ts'
import { showMachines } from '../../runners/machines.ts'
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
]

function shownMachine({ id, region, cpus, memoryBytes, gpus, runners }: MachineView) {
  return {
    id,
    region,
    cpus,
    memory_bytes: memoryBytes,
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
