import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { whyNoEngine } from './test/engine/engine.ts'
import { whyNoPodman } from './test/engine/podman.ts'

/** Tests that need a container engine, wherever they stand. */
const withEngine = '**/*.docker.test.ts'
const isEngineHere = whyNoEngine() === undefined

/**
 * Of the tests with Docker, those that Podman has to pass too: what it builds, deploys and keeps apart. `npm run test:podman` runs
 * them, which takes too long for each change. The conformance suite of backends is not among them (docs/reference/docker.md).
 */
const withPodman = [
  ...['dockerfiles', 'image-builder', 'registries'].map((name) => `packages/server/src/builder/image/${name}`),
  'packages/server/src/backends/docker/escape/escape',
  'test/e2e/docker/deploys',
]
const isPodmanWanted = process.env['CARRICK_TEST_PODMAN'] === 'true'
const isPodmanHere = isPodmanWanted && whyNoPodman() === undefined

/** What is prepared before end-to-end tests, and before those whose runners are containers. */
const compiled = 'test/e2e/compiled.ts'
const oneForAll = 'test/engine/setup-e2e.ts'

/**
 * End-to-end tests that ask most of a backend: they run with processes and with containers. `npm run test:containers` runs
 * all with containers, which takes too long for each change.
 */
const inContainersToo = [
  'bad-apps',
  'files',
  'freezing',
  'isolation',
  'requests',
  'rollouts',
  'run',
  'shell',
  'sockets',
]

const podman = {
  extends: true as const,
  test: {
    name: 'podman',
    env: { CARRICK_TEST_BACKEND: 'docker', CARRICK_TEST_ALONE: 'true' },
    include: isPodmanHere ? withPodman.map((name) => `${name}.docker.test.ts`) : ['test/engine/podman-absent.test.ts'],
    globalSetup: isPodmanHere ? [compiled, 'test/engine/setup-podman.ts'] : [],
    // It loses names of images that two give or take at once.
    maxWorkers: 1,
    testTimeout: 300_000,
  },
}

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
          globalSetup: [compiled, ...(process.env['CARRICK_TEST_BACKEND'] === 'docker' ? [oneForAll] : [])],
          testTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'docker',
          env: { CARRICK_TEST_BACKEND: 'docker', CARRICK_TEST_ALONE: 'true' },
          include: isEngineHere ? [`{packages,test}/${withEngine}`] : ['test/engine/absent.test.ts'],
          globalSetup: isEngineHere ? [compiled, 'test/engine/setup.ts'] : [],
          testTimeout: 300_000,
        },
      },
      ...(isPodmanWanted ? [podman] : []),
      {
        extends: true,
        test: {
          name: 'containers',
          env: { CARRICK_TEST_BACKEND: 'docker' },
          include: isEngineHere ? inContainersToo.map((name) => `test/e2e/${name}.test.ts`) : [],
          globalSetup: isEngineHere ? [compiled, oneForAll] : [],
          testTimeout: 300_000,
        },
      },
    ],
  },
})
