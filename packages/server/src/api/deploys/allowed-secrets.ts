import { CarrickError } from '../../domain/errors.ts'
import type { Caller } from '../../domain/permissions.ts'
import { allowedSecrets } from '../../domain/secret.ts'
import { secretsOf } from '../../store/secrets.ts'
import type { Deps } from '../deps.ts'

/** An app's allow-list, as it is kept. Throws `secret_not_found` for the names that its environment does not have. */
export async function checkedSecrets(
  { store }: Pick<Deps, 'store'>,
  { accountId }: Caller,
  { environment, secrets }: { readonly environment: string; readonly secrets?: readonly string[] | undefined },
): Promise<readonly string[] | undefined> {
  const allowed = allowedSecrets(secrets)
  if (allowed === undefined || allowed.length === 0) return allowed
  const stored = new Set((await store.read(secretsOf({ accountId, environment }))).map(({ name }) => name))
  const missing = allowed.filter((name) => !stored.has(name))
  if (missing.length > 0) throw unknownSecret(missing, environment)
  return allowed
}

export function unknownSecret(names: readonly string[], environment: string): CarrickError {
  const which = names.map((name) => JSON.stringify(name.slice(0, 128))).join(', ')
  const what = names.length === 1 ? `Secret ${which}` : `Secrets ${which}`
  const hint = '`fal secrets list` shows those that there are, `fal secrets set` makes one'
  return new CarrickError('secret_not_found', `${what} not found in environment "${environment}": ${hint}`)
}
