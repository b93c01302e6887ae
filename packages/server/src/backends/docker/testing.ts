import { silent } from '../../kit/logger.ts'
import type { RunnerBackend } from '../backend.ts'
import type { Place } from '../conformance.ts'
import { openEngine } from './engine.ts'
import { createDockerBackend } from './index.ts'

/** The image that tests run in, as `test/engine` provides it. */
export const testImage = 'python:3.11-slim'

/** The docker backend as tests open it, here and in other processes. */
export async function openDocker(place: Place): Promise<RunnerBackend> {
  return createDockerBackend({ ...place, engine: await openEngine(), log: silent })
}
