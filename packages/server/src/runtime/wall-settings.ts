import type { WallSettings } from '../backends/docker/walls/walls.ts'
import { listOf, type Config } from '../config.ts'

/** What the operator decided about the walls around containers. */
export function wallSettingsOf(config: Config): WallSettings {
  return {
    tasks: config.CARRICK_RUNNER_TASKS,
    hardCpu: config.CARRICK_CPU_LIMIT === 'hard',
    scratchBytes: config.CARRICK_SCRATCH_LIMIT,
    egress: config.CARRICK_EGRESS,
    pool: config.CARRICK_CONTAINER_NETWORKS,
    shared: listOf(config.CARRICK_SHARED_FOLDERS),
    runtime: config.CARRICK_CONTAINER_RUNTIME,
    runtimes: listOf(config.CARRICK_CONTAINER_RUNTIMES),
  }
}
