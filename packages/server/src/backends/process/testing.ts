import { fileURLToPath } from 'node:url'
import { silent } from '../../kit/logger.ts'
import type { RunnerBackend } from '../backend.ts'
import type { BackendUnderTest, Place } from '../conformance.ts'
import { createProcessBackend } from './index.ts'

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

const shared = { module: fileURLToPath(import.meta.url), node: [process.execPath, '-e'] }
export const withCgroups: BackendUnderTest = { ...shared, open: openWithCgroups, exported: 'openWithCgroups' }
export const withoutCgroups: BackendUnderTest = { ...shared, open: openWithoutCgroups, exported: 'openWithoutCgroups' }
