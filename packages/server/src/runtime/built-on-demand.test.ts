import { expect, test } from 'vitest'
import type { Builder, BuildOptions } from '../builder/builder.ts'
import { builtOnDemand } from './built-on-demand.ts'
import { CarrickError } from '../domain/errors.ts'
import { silent } from '../kit/logger.ts'
import type { LogLine } from '../logs/log-store.ts'
import type { RunnerStart } from '../scheduler/launch.ts'
import { manualClock } from '../testing/clock.ts'
import { testSpec } from '../testing/scheduler.ts'

const of = { id: 'x', accountId: 'account', appId: 'app', createdAt: 0 }
const start = {
  app: { ...of, id: 'app', environment: 'staging' },
  runner: { ...of, id: 'runner' },
  revision: { ...of, id: 'revision', spec: { ...testSpec(), secrets: ['TOKEN'] } },
} as unknown as RunnerStart

function world({ there = false, built = 'environment-1' }: { there?: boolean; built?: string } = {}) {
  const asked: BuildOptions[] = []
  const lines: LogLine[] = []
  const builder: Builder = {
    has: async () => there,
    placeOf: async (id) => ({ kind: 'folder', path: `/environments/${id}` }),
    async build(_, options) {
      asked.push(options)
      options.onLine('installing')
      return built
    },
  }
  const vault = {
    exposed: async ({ environment }: { environment: string }, allowed?: readonly string[]) => ({
      [String(allowed)]: `of ${environment}`,
    }),
    keep: () => {
      throw new Error('nothing is kept')
    },
    fingerprint: (value: string) => value,
  }
  const logs = { append: (line: LogLine) => void lines.push(line) } as never
  return { asked, lines, builder, ...builtOnDemand({ vault, logs, clock: manualClock(7), log: silent }, builder) }
}

test('an environment that is there is not built', async () => {
  const { environments, asked, lines } = world({ there: true })
  expect(await environments.placeOf('environment-1', start)).toEqual({
    kind: 'folder',
    path: '/environments/environment-1',
  })
  expect([asked, lines]).toEqual([[], []])
})

test('one that is gone is built with the secrets that its app sees, and its logs say so', async () => {
  const { environments, asked, lines, standIns } = world()
  expect(await environments.placeOf('environment-1', start)).toMatchObject({ path: '/environments/environment-1' })
  expect(asked).toMatchObject([{ force: false, secrets: { TOKEN: 'of staging' } }])
  expect(lines.map(({ message }) => message)).toEqual([expect.stringContaining('is built again'), 'installing'])
  expect(lines[0]).toMatchObject({ appId: 'app', runnerId: 'runner', source: 'builder' })
  expect([...standIns]).toEqual([])
})

test('one that becomes another because a secret has changed stands in for it', async () => {
  const { environments, standIns } = world({ built: 'environment-2' })
  expect(await environments.placeOf('environment-1', start)).toMatchObject({ path: '/environments/environment-2' })
  expect([...standIns]).toEqual(['environment-2'])
})

test('a runner whose environment cannot be built is refused with the words of the build', async () => {
  const { environments, builder } = world()
  builder.build = () => Promise.reject(new CarrickError('build_failed', 'no such package'))
  await expect(environments.placeOf('environment-1', start)).rejects.toThrow('no such package')
})
