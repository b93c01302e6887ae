import { CarrickError } from '../../../domain/errors.ts'
import { splitAlias } from '../../../domain/names.ts'
import type { Caller } from '../../../domain/permissions.ts'
import { named, type Request } from './route.ts'

/** The app of an address `…/{owner}/{name}`, as operations on one's own apps take it. Throws `app_not_found` for others'. */
export function ownAppAt({ params, caller }: { params: Request['params']; caller: Caller | undefined }) {
  const { owner, name } = named(params)
  if (caller?.nickname === owner) return { name, environment: splitAlias(name).environment }
  const hint = '`fal apps list` shows those that there are'
  throw new CarrickError('app_not_found', `Application "${owner}/${name}" not found: ${hint}`)
}
