import { CarrickError } from '../../domain/errors.ts'
import type { RevisionId } from '../../domain/ids.ts'
import { revisionAlias } from '../../domain/names.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { RevisionSpec } from '../../domain/revision.ts'
import { uuidv7 } from '../../kit/ids.ts'
import { addRevision } from '../../store/named-revisions.ts'
import type { Deps } from '../deps.ts'
import type { Attention } from '../operation.ts'

/**
 * Whether the deploy is not to be promoted: `fal deploy --annotation carrick.promote=false`, which is what
 * `carrick deploy --no-promote` says through the stock client. An annotation is the only word of ours that it passes on.
 */
export function isKeptBack({ annotations }: Readonly<Record<string, unknown>>): boolean {
  if (typeof annotations !== 'object' || annotations === null) return false
  return Object.hasOwn(annotations, 'carrick.promote') && Reflect.get(annotations, 'carrick.promote') === 'false'
}

/** Stores a revision to which no calls go, and says how it is called and promoted. An app has to be there for it. */
export async function keepBack(
  deps: Deps,
  { accountId, nickname }: Caller,
  { name, environment }: { readonly name: string; readonly environment: string },
  spec: RevisionSpec,
  { say }: Attention,
): Promise<RevisionId> {
  const id = uuidv7(deps.clock)
  if (!(await deps.store.commit(addRevision({ accountId, name }, { id, spec, now: deps.clock.now() })))) {
    const message = `There is no application "${name}" whose calls could go on as before: deploy it once without --no-promote`
    throw new CarrickError('app_not_found', message)
  }
  const environmentFlag = environment === 'main' ? '' : ` --env ${environment}`
  const lines = [
    `Revision ${id} of ${name} is stored and not promoted: calls to ${nickname}/${name} go on as before`,
    `Call it with your own keys: ${nickname}/${revisionAlias(name, id)}`,
    `Promote it: fal apps set-rev ${name.split('--')[0]} ${id}${environmentFlag}`,
  ]
  for (const message of lines) say({ at: deps.clock.now(), source: 'bridge', level: 'info', message })
  return id
}
