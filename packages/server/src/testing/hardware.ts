import type { Hardware, PlacementRules } from '../domain/hardware.ts'
import { builtInTypes } from '../domain/machine-types.ts'
import type { Machine } from '../domain/machine.ts'

/** One machine on which there is room for whatever a test does, unless the test says otherwise. */
export function testHardware(machine: Partial<Machine> = {}, rules: Partial<PlacementRules> = {}): Hardware {
  const roomy = { id: 'box', region: 'local', cpus: 1e6, memoryBytes: 2 ** 50, gpus: [] }
  return {
    machines: [{ ...roomy, ...machine }],
    types: new Map(builtInTypes.map((type) => [type.name, type])),
    rules: {
      cpuOvercommit: 1,
      memoryOvercommit: 1,
      runnersPerMachine: 1e6,
      runnersPerAccount: 1e6,
      gpusPerAccount: 1e6,
      unplaceable: 'refuse',
      ...rules,
    },
  }
}
