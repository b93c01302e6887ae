import { beforeEach, expect, test } from 'vitest'
import type { Placement } from '../../domain/placement.ts'
import { openTestControl, testRunner, type TestControl } from '../../testing/control.ts'

let control: TestControl
beforeEach(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

test('GPUs are counted by kind and app, of runners that hold a machine', async () => {
  const on = (machineType: string, gpus: readonly number[]): { placement: Placement } => ({
    placement: { machineId: 'box', machineType, cpus: 1, memoryBytes: 1, gpus },
  })
  control.script.runners = [
    testRunner({ ...on('GPU-H100', [0, 1]), state: 'idle' }),
    testRunner({ ...on('GPU-H100', [2, 3]), state: 'setup' }),
    testRunner({ machineType: 'GPU-H100', state: 'pending' }),
    testRunner({ machineType: 'GPU-H100', state: 'crash_backoff' }),
    testRunner({ ...on('GPU-H100', [4]), state: 'terminated' }),
    testRunner({ appName: 'other', ...on('GPU-B200', [4]), state: 'draining' }),
    testRunner({ appName: 'small', ...on('XS', []) }),
  ]
  expect((await control.rest('/applications/metrics')).body).toEqual({
    summary: { total_gpu_by_type: { H100: 4, B200: 1 } },
    apps: {
      'ann/hello': { gpu_count_by_type: { H100: 4 } },
      'ann/other': { gpu_count_by_type: { B200: 1 } },
      'ann/small': { gpu_count_by_type: {} },
    },
  })
})
