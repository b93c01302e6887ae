import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Carrick } from '../e2e/carrick.ts'
import { forgetRegistry } from '../e2e/engine-leftovers.ts'
import { keepAsPrepared, oneForAll } from '../e2e/one-for-all.ts'
import { setup as setUpEngine } from './setup.ts'

/**
 * Before end-to-end tests whose runners are containers: an engine, and for all servers one registry and one account. So
 * what the first of them installs and pushes is there for all.
 */
export async function setup(): Promise<() => Promise<void>> {
  await using opened = new AsyncDisposableStack()
  opened.defer(await setUpEngine())
  const registry = opened.use(await Carrick.start({ CARRICK_BACKEND: 'process' }))
  const host = new URL(registry.url).host
  opened.defer(() => forgetRegistry(host))
  const folder = await mkdtemp(join(tmpdir(), 'carrick-prepared-'))
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  await keepAsPrepared(registry, folder)
  process.env[oneForAll] = JSON.stringify({
    folder,
    settings: {
      CARRICK_REGISTRY: `${host}/tester`,
      CARRICK_REGISTRY_USERNAME: 'any',
      CARRICK_REGISTRY_PASSWORD: registry.variables['FAL_KEY'] ?? '',
    },
  })
  const all = opened.move()
  return () => all.disposeAsync()
}
