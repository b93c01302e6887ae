import { expect, test } from 'vitest'
import type { RunnerView } from '../../domain/runner-view.ts'
import { testRunner } from '../../testing/control.ts'
import { StartNews } from './start-news.ts'

const placement = { machineId: 'box', machineType: 'XS', cpus: 1, memoryBytes: 1, gpus: [] }
const waitsFor = { kind: 'account_runners', limit: 1 } as const
const one = (more: Partial<RunnerView>) => [testRunner({ id: 'one', machineType: 'XS', ...more })]

test('whoever waits for a runner is told what it waits for and that it starts, each once', () => {
  const news = new StartNews()
  const heard = [
    one({ state: 'pending' }),
    one({ state: 'pending', waitsFor }),
    one({ state: 'pending', waitsFor }),
    one({ state: 'docker_pull', placement }),
    one({ state: 'setup', placement }),
    one({ state: 'setup', placement }),
    one({ state: 'idle', placement }),
  ].map((runners) => news.of(runners))
  expect(heard).toEqual([
    [],
    ['Waiting for a machine: the account has as many runners as it may (1)'],
    [],
    ['Pulling its image …'],
    ['Starting a runner on box (XS) …'],
    [],
    [],
  ])
})
