import { setup as setUpEngine } from './setup.ts'

/**
 * Before the project `e2e` when its runners are containers: an engine, and for all servers one registry and one account.
 * So what the first of them installs and pushes is there for all.
 */
export async function setup(): Promise<() => Promise<void>> {
  await using opened = new AsyncDisposableStack()
  opened.defer(await setUpEngine())
  const { openOneRegistry } = await import('./one-registry.ts')
  const { settings } = opened.use(await openOneRegistry())
  Object.assign(process.env, settings)
  const { Carrick } = await import('../e2e/carrick.ts')
  const { preparedVariable } = await import('../e2e/prepared-folder.ts')
  const first = opened.use(await Carrick.start())
  await first.down()
  process.env[preparedVariable] = first.folder
  const all = opened.move()
  return () => all.disposeAsync()
}
