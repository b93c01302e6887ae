import { dirname } from 'node:path'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { RunnerId } from '../../domain/ids.ts'
import { silent } from '../../kit/logger.ts'
import type { RunnerBackend } from '../backend.ts'
import type { BackendUnderTest, Place } from '../conformance.ts'
import { openEngine } from './engine/engine.ts'
import { createDockerBackend } from './index.ts'

/** The image that tests run in, as `test/engine` provides it. */
export const testImage = 'python:3.11-slim'

/** The docker backend as tests open it, here and in other processes. */
export async function openDocker(place: Place): Promise<RunnerBackend> {
  return createDockerBackend({ ...place, engine: await openEngine(), log: silent })
}

export const dockerBackend: BackendUnderTest = {
  open: openDocker,
  module: fileURLToPath(import.meta.url),
  exported: 'openDocker',
  node: [process.execPath, '-e'],
  bind: '0.0.0.0',
  spec: { image: { reference: testImage }, sees: [dirname(process.execPath)] },
  running: runningInside,
}

/** The same where DOCKER_HOST names Podman. */
export const podmanBackend: BackendUnderTest = {
  ...dockerBackend,
  cannot: {
    'a program that does not exist is an exit with code 127 and a line that names it':
      "Podman's init (catatonit) says so without the name, and ends with 1",
  },
}

/** The processes of a runner that live, as this machine shows them: each has its own id in the last namespace it is in. */
function runningInside(id: RunnerId, pids: readonly number[]): readonly number[] {
  const inside = new Set(
    readdirSync('/proc')
      .filter((pid) => textOf(`/proc/${pid}/environ`).includes(`CARRICK_RUNNER_ID=${id}`))
      .map((pid) => Number(/^NSpid:.*\t(\d+)$/m.exec(textOf(`/proc/${pid}/status`))?.[1])),
  )
  return pids.filter((pid) => inside.has(pid))
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // no process, or one that has ended
  }
}
