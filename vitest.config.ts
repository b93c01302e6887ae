import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { whyNoEngine } from './test/engine/engine.ts'

/** Tests that need a container engine, wherever they stand. */
const withEngine = '**/*.docker.test.ts'
const isEngineHere = whyNoEngine() === undefined

/** Unit tests stand beside the code; `test/e2e` drives a real server. Limits are generous: machines are noisy. */
export default defineConfig({
  resolve: { conditions: ['carrick-source'] },
  ssr: { resolve: { conditions: ['carrick-source'] } },
  test: {
    reporters: ['default', './test/count-reporter.ts'],
    pool: 'forks',
    // Most of their time tests wait for processes to start: two files at a time fill two cores.
    maxWorkers: 2,
    execArgv: ['--conditions=carrick-source'],
    setupFiles: [fileURLToPath(new URL('test/patience.ts', import.meta.url))],
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // See docs/decisions/0056: what fails is tried so often again, and told by name when it passes then. CI asks for one.
    retry: Number(process.env['CARRICK_TEST_RETRIES'] ?? 0),
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            'packages/**/*.test.ts',
            'scripts/**/*.test.ts',
            'test/crash/checker.test.ts',
            'test/simulation/*.test.ts',
          ],
          exclude: ['**/node_modules/**', withEngine],
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/crash/crash.test.ts'],
          exclude: ['**/node_modules/**', withEngine],
          globalSetup: process.env['CARRICK_TEST_BACKEND'] === 'docker' ? ['test/engine/setup-e2e.ts'] : [],
          testTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'docker',
          env: { CARRICK_TEST_BACKEND: 'docker' },
          include: isEngineHere ? [`{packages,test}/${withEngine}`] : ['test/engine/absent.test.ts'],
          globalSetup: isEngineHere ? ['test/engine/setup.ts'] : [],
          testTimeout: 300_000,
        },
      },
    ],
  },
})
