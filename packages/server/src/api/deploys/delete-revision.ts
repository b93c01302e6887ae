import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { RunnerId } from '../../domain/ids.ts'
import type { Revision } from '../../domain/revision.ts'
import { deleteRevision as deleteRow } from '../../store/revisions.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { revisionOf } from './revisions.ts'

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
