import { fileURLToPath } from 'node:url'
import { silent } from '../../kit/logger.ts'
import type { RunnerBackend } from '../backend.ts'
import type { BackendUnderTest, Place } from '../conformance.ts'
import { createProcessBackend } from './index.ts'

const execHelper = fileURLToPath(new URL('../../../../../runners/python/carrick_exec', import.meta.url))

/** The process backend as tests open it, here and in other processes. */
export function openWithCgroups(place: Place): Promise<RunnerBackend> {
  return createProcessBackend({ ...place, log: silent, execHelper })
}

export function openWithoutCgroups(place: Place): Promise<RunnerBackend> {
  return createProcessBackend({ ...place, log: silent, execHelper, cgroups: false })
}

export function openWithoutMounts(place: Place): Promise<RunnerBackend> {
  return createProcessBackend({ ...place, log: silent, execHelper, mounts: false })
}

const shared = { module: fileURLToPath(import.meta.url), node: [process.execPath, '-e'] }
export const withCgroups: BackendUnderTest = { ...shared, open: openWithCgroups, exported: 'openWithCgroups' }
export const withoutCgroups: BackendUnderTest = { ...shared, open: openWithoutCgroups, exported: 'openWithoutCgroups' }
