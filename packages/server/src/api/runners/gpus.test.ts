import { beforeEach, expect, test } from 'vitest'
import { openTestControl, testRunner, type TestControl } from '../../testing/control.ts'

let control: TestControl
beforeEach(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

test('GPUs are counted by kind and app, of runners that hold a machine', async () => {
  const h100 = { machineType: 'GPU-H100', numGpus: 2 }
  control.script.runners = [
    testRunner({ ...h100, state: 'idle' }),
    testRunner({ ...h100, state: 'setup' }),
    testRunner({ ...h100, state: 'pending' }),
    testRunner({ ...h100, state: 'crash_backoff' }),
    testRunner({ appName: 'other', machineType: 'GPU-B200', state: 'draining' }),
    testRunner({ appName: 'small', machineType: 'XS' }),
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
