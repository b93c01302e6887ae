import { z } from 'zod'
import type { App } from '../../domain/app.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { AppId } from '../../domain/ids.ts'
import { isApp } from '../../domain/revision.ts'
import { changedScale, type ScaleSettings } from '../../domain/scale.ts'
import { requireHardware } from '../../domain/sought-hardware.ts'
import type { RunnerView } from '../../domain/runner-view.ts'
import { appByName, deleteApp as deleteRow, updateScale } from '../../store/apps.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { Deps } from '../deps.ts'
import { EnvironmentName, requireEnvironment } from '../deploys/environments.ts'
import { operation } from '../operation.ts'
import { ScaleInput } from '../deploys/scale-input.ts'

/** An app, and how many of its runners take requests or finish some. */
export interface AppView {
  readonly app: App
  readonly activeRunners: number
}

/** An app whose settings were changed, and what they were. */
export interface ScaledApp extends AppView {
  readonly before: ScaleSettings
}

/** An app by its name, in the caller's account. */
export const NamedApp = z.object({ name: z.string(), environment: EnvironmentName })

/**
 * The apps that have an endpoint, by name; hosts of functions have none that anybody should call. They stand in memory
 * as their last change left them: thousands cost no read.
 */
export const listApps = operation(
  { permission: 'apps:read', input: z.object({ environment: EnvironmentName }) },
  async (deps, caller, { environment }): Promise<readonly AppView[]> => {
    await requireEnvironment(deps, caller, environment)
    const runners = countActive(await deps.runners.listing(caller.accountId))
    return [...deps.apps.all()]
      .filter(({ app, active }) => app.revisionOf === undefined && active !== undefined && isApp(active.spec))
      .map(({ app }) => app)
      .filter((app) => app.accountId === caller.accountId && app.environment === environment)
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map((app) => ({ app, activeRunners: runners.get(app.id) ?? 0 }))
  },
)

/** Changes live scale settings; what is left out stays. */
export const updateApp = operation(
  { permission: 'apps:write', input: NamedApp.extend({ changes: ScaleInput }) },
  async (deps, caller, { changes, ...named }): Promise<ScaledApp> => {
    for (;;) {
      const app = await findApp(deps, caller, named)
      const rolling = app.rollingScale && changedScale(app.rollingScale, changes)
      const scale = changedScale(app.scale, changes)
      if (seeksHardware(changes)) requireHardware(scale, deps.hardware)
      const changed = updateScale(app, scale, rolling, deps.clock.now())
      if (await deps.store.commit(changed)) return { ...(await showApp(deps, caller, named)), before: app.scale }
    }
  },
  {
    action: 'scale_app',
    about: ({ name, changes }, done) => ({
      subject: name,
      changes,
      ...(done && { before: done.before, after: done.app.scale }),
    }),
  },
)

/** Deletes an app for good: its endpoint is gone, its runners end. Answers what it was before. */
export const deleteApp = operation(
  { permission: 'apps:write', input: NamedApp },
  async (deps, caller, named): Promise<App> => {
    const app = await findApp(deps, caller, named)
    if (!(await deps.store.commit(deleteRow(app.id, deps.clock.now())))) throw unknownApp(named.name)
    await deps.apps.refresh()
    return app
  },
  { action: 'delete_app', about: ({ name }) => ({ subject: name }) },
)

/** What the active revision's deploy said about itself: `openapi`, `message`, and more. */
export const appMetadata = operation(
  { permission: 'apps:read', input: z.object({ owner: z.string(), name: z.string() }) },
  async (deps, caller, { owner, name }) => {
    const known = deps.apps.find(owner, name)
    if (known?.active === undefined || known.app.accountId !== caller.accountId) throw unknownApp(name)
    return known.active.spec.metadata
  },
)

/** What an app asked for before stays as it is, also where the machines have changed since. */
const seeksHardware = ({ machine_types, num_gpus, valid_regions }: z.output<typeof ScaleInput>): boolean =>
  [machine_types, num_gpus, valid_regions].some((said) => said !== undefined)

export async function findApp(
  deps: Pick<Deps, 'store'>,
  caller: Caller,
  { name, environment }: z.output<typeof NamedApp>,
): Promise<App> {
  const app = await deps.store.read(appByName(caller.accountId, name))
  if (app?.environment === environment) return app
  await requireEnvironment(deps, caller, environment)
  throw unknownApp(name)
}

/** The app as it is now. */
export async function showApp(deps: Deps, caller: Caller, named: z.output<typeof NamedApp>): Promise<AppView> {
  await deps.apps.refresh()
  const [app, runners] = await Promise.all([findApp(deps, caller, named), deps.runners.listing(caller.accountId)])
  return { app, activeRunners: countActive(runners).get(app.id) ?? 0 }
}

function countActive(runners: readonly RunnerView[]): ReadonlyMap<AppId, number> {
  const byApp = Map.groupBy(
    runners.filter(({ state }) => active.has(state)),
    ({ appId }) => appId,
  )
  return new Map(Array.from(byApp, ([id, of]) => [id, of.length]))
}

export const active: ReadonlySet<RunnerView['state']> = new Set(['idle', 'running', 'draining'] as const)

const unknownApp = (name: string) =>
  new CarrickError('app_not_found', `Application "${name}" not found: \`fal apps list\` shows those that there are`)
