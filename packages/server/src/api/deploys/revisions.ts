import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { Revision } from '../../domain/revision.ts'
import { scaleForSetRev } from '../../domain/scale.ts'
import { lastTurn, takeTurn } from '../../store/deploy-turns.ts'
import { setNextRevision } from '../../store/next-revisions.ts'
import { revisionsById, revisionsOfAccount, revisionsOfApp } from '../../store/revisions.ts'
import { active, findApp, NamedApp, showApp } from '../apps/apps.ts'
import type { AppView } from '../apps/apps.ts'
import type { Deps } from '../deps.ts'
import { EnvironmentName, requireEnvironment } from './environments.ts'
import { operation } from '../operation.ts'
import { rebuilt } from './prepared.ts'
import { rolledOut, superseded } from './rollout.ts'

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

/** So many that there are a refusal names. */
const mostNamed = 5

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
    const { id: appId } = await findApp(deps, caller, named)
    const turn = await deps.store.commit(takeTurn(caller.accountId))
    await requireBuilt(await findRevision())
    for (;;) {
      const app = await findApp(deps, caller, named)
      const target = await findRevision() // it may have been deleted meanwhile
      if (target.appId !== app.id) throw await unknownRevision()
      const next = {
        revisionId,
        // Nothing rolls when it is active already: there is only its auth mode to change.
        strategy: app.revisionId === revisionId ? ('recreate' as const) : strategy,
        scale: scaleForSetRev(app.scale, target.spec.scale),
        basedOn: app.scale,
        ...(authMode === undefined ? {} : { authMode }),
        turn,
        now: deps.clock.now(),
      }
      if (!(await deps.store.commit(setNextRevision(app.id, next)))) {
        const last = await deps.store.read(lastTurn(caller.accountId, app.name))
        if (last !== undefined && last > turn) throw superseded(app.name, 'too_late')
        continue
      }
      if (next.strategy === 'rolling') await rolledOut(deps, { app, revisionId }, attention)
      return showApp(deps, caller, named)
    }

    async function findRevision(): Promise<Revision> {
      const found = await revisionOf(deps, caller, revisionId)
      if (found === undefined) throw await unknownRevision()
      return found
    }

    /** Its environment may have been cleaned away since. Built of other secrets it would be another one. */
    async function requireBuilt({ spec }: Revision): Promise<void> {
      if (await deps.builder.has(spec.environmentId)) return
      const scope = { accountId: caller.accountId, environment: named.environment }
      const built = await rebuilt(deps, scope, spec, attention)
      if (built === spec.environmentId) return
      const message = `Revision "${revisionId}" was built with secrets that have changed since: deploy it again`
      throw new CarrickError('deploy_failed', message)
    }

    async function unknownRevision(): Promise<CarrickError> {
      const there = (await deps.store.read(revisionsOfApp(appId))).slice(0, mostNamed).map(({ id }) => id)
      const hint = `the last ones are ${there.join(', ')} (\`fal apps list-rev ${named.name}\` shows all)`
      return new CarrickError('invalid_value', `Revision "${revisionId}" of "${named.name}" not found: ${hint}`)
    }
  },
  {
    action: 'set_revision',
    about: ({ name, revisionId, strategy, authMode }) => ({ subject: name, revision: revisionId, strategy, authMode }),
  },
)

/** One of the caller's revisions. */
export async function revisionOf({ store }: Deps, { accountId }: Caller, id: string): Promise<Revision | undefined> {
  const [found] = await store.read(revisionsById([id]))
  return found?.accountId === accountId ? found : undefined
}
