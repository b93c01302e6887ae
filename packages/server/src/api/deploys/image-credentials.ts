import type { SecretScope, SecretValues } from '../../domain/secret.ts'
import type { ImageCredentials } from '../../domain/revision.ts'
import type { Vault } from '../../access/vault.ts'
import { unknownSecret } from './allowed-secrets.ts'

/** What a build is told, in clear. */
export interface FilledCredentials {
  readonly registries: ImageCredentials['registries']
  readonly buildSecrets: SecretValues
}

export const noCredentials: ImageCredentials = { registries: {}, buildSecrets: {} }

/** The secret that a value stands for: `$NAME` and nothing else. */
function secretNamed(value: string): string | undefined {
  return /^\$([A-Za-z_][A-Za-z0-9_]{0,127})$/.exec(value)?.[1]
}

/**
 * Credentials with the secret of the environment in place of each `$NAME`, whether apps see it or not; `$$` at the
 * beginning is one `$`. Throws `secret_not_found` with the names that the environment does not have.
 */
export async function filledCredentials(
  { vault }: { readonly vault: Pick<Vault, 'exposed'> },
  scope: SecretScope,
  { registries, buildSecrets }: ImageCredentials,
): Promise<FilledCredentials> {
  const all = [
    ...Object.values(registries).flatMap((who) => [who.username, who.password]),
    ...Object.values(buildSecrets),
  ]
  const names = [...new Set(all.map(secretNamed))].filter((name) => name !== undefined)
  const secrets = names.length === 0 ? {} : await vault.exposed(scope, names)
  const missing = names.filter((name) => !Object.hasOwn(secrets, name))
  if (missing.length > 0) throw unknownSecret(missing, scope.environment)
  const fill = (value: string) => {
    const name = secretNamed(value)
    return name === undefined ? value.replace(/^\$\$/, '$') : (secrets[name] ?? '')
  }
  return {
    registries: mapped(registries, ({ username, password }) => ({
      username: fill(username),
      password: fill(password),
    })),
    buildSecrets: mapped(buildSecrets, fill),
  }
}

/** What of them may be stored: those that name a secret. Undefined when none does. */
export function storableCredentials({ registries, buildSecrets }: ImageCredentials): ImageCredentials | undefined {
  const named = (value: string) => secretNamed(value) !== undefined
  const kept = {
    registries: chosen(registries, ({ password }) => named(password)),
    buildSecrets: chosen(buildSecrets, named),
  }
  const isEmpty = Object.values(kept).every((of) => Object.keys(of).length === 0)
  return isEmpty ? undefined : kept
}

function mapped<From, To>(of: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, change(value)]))
}

function chosen<Value>(of: Readonly<Record<string, Value>>, isMeant: (value: Value) => boolean): Record<string, Value> {
  return Object.fromEntries(Object.entries(of).filter(([, value]) => isMeant(value)))
}
