import { discover } from './backends/this-machine.ts'
import { listOf, type Config } from './config.ts'
import { gpusAsked } from './domain/gpus-asked.ts'
import type { Hardware } from './domain/hardware.ts'
import type { Logger } from './kit/logger.ts'
import { catalogueOf } from './settings/machine-types.ts'

/** What runners can be placed on: this machine as it is found, the catalogue, and the operator's rules. */
export async function openHardware(config: Config, log: Logger): Promise<Hardware> {
  const { machine, warnings } = await discover({
    region: config.CARRICK_REGION,
    cpus: config.CARRICK_CPUS,
    memoryBytes: config.CARRICK_MEMORY,
    gpus: gpusAsked(listOf(config.CARRICK_GPUS)),
  })
  for (const warning of warnings) log.warn({}, warning)
  return {
    machines: [machine],
    types: catalogueOf(config.CARRICK_MACHINE_TYPES),
    rules: {
      cpuOvercommit: config.CARRICK_CPU_OVERCOMMIT,
      memoryOvercommit: config.CARRICK_MEMORY_OVERCOMMIT,
      runnersPerMachine: config.CARRICK_RUNNERS_PER_MACHINE,
      runnersPerAccount: config.CARRICK_RUNNERS_PER_ACCOUNT,
      gpusPerAccount: config.CARRICK_GPUS_PER_ACCOUNT,
      unplaceable: config.CARRICK_UNPLACEABLE,
    },
  }
}
