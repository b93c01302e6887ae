import type { IncomingMessage } from 'node:http'
import { CarrickError } from '../domain/errors.ts'
import { splitRevision } from '../domain/names.ts'
import { scaleByName } from '../domain/rollout.ts'
import { uuidv7 } from '../kit/ids.ts'
import { addNamedRevision } from '../store/named-revisions.ts'
import { revisionsById } from '../store/revisions.ts'
import { authenticate, callerByToken, owns, unknownApplication } from './access.ts'
import type { GatewayDeps } from './deps.ts'
import type { Target } from './target.ts'

/** Whether it is a revision that is called, and not whatever an app has now. */
export const namesRevision = ({ alias }: Target): boolean => alias.name.includes('@')

/**
 * Makes `owner/app@revision` an address that can be called, when its owner first does: it is an app of its own with that
 * one revision, private, whatever the app itself is. Throws `revision_not_found` for a revision that the app does not have.
 */
export async function openNamed(
  deps: GatewayDeps,
  req: Pick<IncomingMessage, 'headers'>,
  target: Target,
): Promise<void> {
  const { alias } = target
  const { name, revisionId = '' } = splitRevision(alias.name)
  if (deps.apps.find(alias.owner, alias.name) !== undefined) return
  const known = deps.apps.find(alias.owner, name)
  const caller = authenticate(await callerByToken(req, deps, target), alias)
  if (known === undefined || !owns(caller, known)) throw unknownApplication(alias)
  const [revision] = await deps.store.read(revisionsById(isId.test(revisionId) ? [revisionId] : []))
  if (revision?.appId !== known.app.id) throw unknownRevision(name, revisionId)
  const own = { id: uuidv7(deps.clock), name: alias.name, scale: scaleByName(revision.spec.scale) }
  await deps.store.commit(addNamedRevision(own, revision.id, deps.clock.now()))
  await deps.apps.refresh()
}

const isId = /^[0-9a-f-]{36}$/

function unknownRevision(name: string, id: string): CarrickError {
  const hint = `\`fal apps list-rev ${name}\` shows those that there are`
  return new CarrickError('revision_not_found', `Revision "${id.slice(0, 128)}" of "${name}" not found: ${hint}`)
}
