import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silent } from '../../kit/logger.ts'
import type { RunnerBackend } from '../backend.ts'
import type { BackendUnderTest, Place } from '../conformance.ts'
import { createProcessBackend } from './index.ts'
import type { Ingress } from './isolation/isolation.ts'

const programs = {
  execHelper: fileURLToPath(new URL('../../../../../runners/python/carrick_exec', import.meta.url)),
  launchHelper: fileURLToPath(new URL('../../../../../runners/python/carrick_launch', import.meta.url)),
}

/** The process backend as tests open it, here and in other processes. */
export function openWithCgroups(place: Place): Promise<RunnerBackend> {
  return createProcessBackend({ ...place, log: silent, ...programs, tasks: 300 })
}

export function openWithoutCgroups(place: Place): Promise<RunnerBackend> {
  return createProcessBackend({ ...place, log: silent, ...programs, cgroups: false })
}

export function openWithoutMounts(place: Place): Promise<RunnerBackend> {
  return createProcessBackend({ ...place, log: silent, ...programs, mounts: false })
}

/** As on a machine that lets runners be apart, which `confinement` tells. */
export function openIsolated(place: Place, more: { readonly ingress?: Ingress } = {}): Promise<RunnerBackend> {
  const hidden = [dirname(place.folder)]
  return createProcessBackend({ ...place, ...more, log: silent, ...programs, isolation: 'auto', hidden })
}

const shared = { module: fileURLToPath(import.meta.url), node: [process.execPath, '-e'] }
export const withCgroups: BackendUnderTest = { ...shared, open: openWithCgroups, exported: 'openWithCgroups' }
export const withoutCgroups: BackendUnderTest = {
  ...shared,
  open: openWithoutCgroups,
  exported: 'openWithoutCgroups',
  cannot: Object.fromEntries(
    [
      'a runner takes no CPU, keeps what it has, and goes on',
      'a runner that is thawed while it is being frozen goes on',
      'a runner hears that it is to end, and may take its time',
      'a runner is killed with all that it started',
      'a runner that a killed server left behind can be ended by the next one',
    ].map((name) => [name, 'only a control group can be frozen whole']),
  ),
}
export const isolatedBackend: BackendUnderTest = { ...shared, open: openIsolated, exported: 'openIsolated' }
