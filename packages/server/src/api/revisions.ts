import { z } from 'zod'
import { CarrickError } from '../domain/errors.ts'
import type { RunnerId } from '../domain/ids.ts'
import type { Caller } from '../domain/permissions.ts'
import type { Revision } from '../domain/revision.ts'
import { scaleForSetRev } from '../domain/scale.ts'
import { setNextRevision } from '../store/apps.ts'
import { deleteRevision as deleteRow, revisionsById, revisionsOfAccount, revisionsOfApp } from '../store/revisions.ts'
import { active, findApp, NamedApp, showApp } from './apps.ts'
import type { AppView } from './apps.ts'
import type { Deps } from './deps.ts'
import { build, EnvironmentName, requireEnvironment } from './environments.ts'
import { operation } from './operation.ts'
import { rolledOut } from './rollout.ts'

export interface RevisionView {
  readonly revision: Revision
  readonly environment: string
  readonly activeRunners: number
}

/** The revisions of one app, or of all in an environment, newest first. */
export const listRevisions = operation(
  { permission: 'apps:read', input: z.object({ name: z.string().optional(), environment: EnvironmentName }) },
  async (deps, caller, { name, environment }): Promise<readonly RevisionView[]> => {
    const app = name === undefined ? undefined : await findApp(deps, caller, { name, environment })
    if (app === undefined) await requireEnvironment(deps, caller, environment)
    const [revisions, runners] = await Promise.all([
      deps.store.read(app ? revisionsOfApp(app.id) : revisionsOfAccount(caller.accountId, environment)),
      deps.runners.listing(caller.accountId),
    ])
    return revisions.map((revision) => ({
      revision,
      environment,
      activeRunners: runners.filter((runner) => runner.revisionId === revision.id && active.has(runner.state)).length,
    }))
  },
)

/** Makes an earlier or later revision the active one: at once, or when a first runner of it is healthy. */
export const setRevision = operation(
  {
    permission: 'apps:write',
    input: NamedApp.extend({
      revisionId: z.string(),
      authMode: z.enum(['private', 'public', 'shared']).optional(),
      strategy: z.enum(['recreate', 'rolling']).default('rolling'),
    }),
  },
  async (deps, caller, { revisionId, authMode, strategy, ...named }, attention): Promise<AppView> => {
    await findApp(deps, caller, named)
    await requireBuilt(await findRevision())
    for (;;) {
      const app = await findApp(deps, caller, named)
      const target = await findRevision() // it may have been deleted meanwhile
      if (target.appId !== app.id) throw unknownRevision()
      const next = {
        revisionId,
        // Nothing rolls when it is active already: there is only its auth mode to change.
        strategy: app.revisionId === revisionId ? ('recreate' as const) : strategy,
        scale: scaleForSetRev(app.scale, target.spec.scale),
        basedOn: app.scale,
        ...(authMode === undefined ? {} : { authMode }),
        now: deps.clock.now(),
      }
      if (!(await deps.store.commit(setNextRevision(app.id, next)))) continue
      if (next.strategy === 'rolling') await rolledOut(deps, { app, revisionId }, attention)
      return showApp(deps, caller, named)
    }

    async function findRevision(): Promise<Revision> {
      const found = await revisionOf(deps, caller, revisionId)
      if (found === undefined) throw unknownRevision()
      return found
    }

    /** Its environment may have been cleaned away since. Built of other secrets it would be another one. */
    async function requireBuilt({ spec }: Revision): Promise<void> {
      if (await deps.builder.has(spec.environmentId)) return
      const scope = { accountId: caller.accountId, environment: named.environment }
      const secrets = await deps.vault.exposed(scope, spec.secrets)
      const built = await build(deps, spec.environment, { force: false, secrets, attention })
      if (built === spec.environmentId) return
      const message = `Revision "${revisionId}" was built with secrets that have changed since: deploy it again`
      throw new CarrickError('deploy_failed', message)
    }

    function unknownRevision(): CarrickError {
      const hint = `\`fal apps list-rev ${named.name}\` shows those that there are`
      return new CarrickError('revision_not_found', `Revision "${revisionId}" of "${named.name}" not found: ${hint}`)
    }
  },
  {
    action: 'set_revision',
    about: ({ name, revisionId, strategy, authMode }) => ({ subject: name, revision: revisionId, strategy, authMode }),
  },
)

/**
 * Deletes a revision that no calls go to: it cannot come back. Its runners finish what they do and end. Throws
 * `revision_in_use` for the active one and for one that is being brought up.
 */
export const deleteRevision = operation(
  { permission: 'apps:write', input: z.object({ revisionId: z.string() }) },
  async (deps, caller, { revisionId }): Promise<void> => {
    const found = await revisionOf(deps, caller, revisionId)
    if (found === undefined) throw goneRevision(revisionId)
    if (!(await deps.store.commit(deleteRow(revisionId, deps.clock.now())))) {
      const still = await revisionOf(deps, caller, revisionId)
      throw still === undefined ? goneRevision(revisionId) : inUse(deps, still)
    }
    const runners = await deps.runners.listing(caller.accountId)
    const mine = runners.filter((runner) => runner.revisionId === revisionId)
    await Promise.all(mine.map(({ id }) => ended(deps, id)))
  },
  { action: 'delete_revision', about: ({ revisionId }) => ({ subject: revisionId }) },
)

async function revisionOf({ store }: Deps, { accountId }: Caller, id: string): Promise<Revision | undefined> {
  const [found] = await store.read(revisionsById([id]))
  return found?.accountId === accountId ? found : undefined
}

/** One that ended meanwhile needs no asking. */
async function ended({ runners }: Deps, id: RunnerId): Promise<void> {
  await runners.stopRunner(id, { replaceFirst: false }).catch((error: unknown) => {
    if (!(error instanceof CarrickError && error.code === 'runner_not_found')) throw error
  })
}

const goneRevision = (id: string) =>
  new CarrickError(
    'revision_not_found',
    `Revision "${id.slice(0, 128)}" not found: \`fal apps list-rev\` shows those that there are`,
  )

function inUse({ apps }: Deps, { id, appId }: Revision): CarrickError {
  const app = apps.byId(appId)?.app
  const name = app?.name ?? 'its app'
  const [why, advice] =
    app?.rollingRevisionId === id
      ? ['is being brought up', 'wait until its deployment is over']
      : ['is the active one', `make another one active with \`fal apps set-rev ${name}\`, or delete the app`]
  return new CarrickError('revision_in_use', `Revision "${id}" of "${name}" ${why}, so it was not deleted: ${advice}`)
}
