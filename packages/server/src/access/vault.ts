import { createHmac } from 'node:crypto'
import { isExposed } from '../domain/secret.ts'
import type { SecretScope, SecretValues } from '../domain/secret.ts'
import type { Clock } from '../kit/clock.ts'
import { putSecret, secretsOf, type StoredSecret } from '../store/secrets.ts'
import type { Store, Write } from '../store/store.ts'
import { createSeal, derivedKey, type Seal } from './seal.ts'

/** The secrets of all accounts: encrypted on disk, in clear only for who is given them here. */
export interface Vault {
  /** The write that keeps a secret; its answer is `false` when the environment is gone. Without a flag the old one stays. */
  keep(scope: SecretScope, name: string, value: string, defaultExposed: boolean | undefined): Write<boolean>
  /** The current values of what an app may see: the listed ones, or without a list those that are exposed by default. */
  exposed(scope: SecretScope, allowed: readonly string[] | undefined): Promise<SecretValues>
  /** Equal for equal values; says nothing about a value to those who do not have the installation's key. */
  fingerprint(value: string): string
}

export interface VaultParts {
  readonly store: Store
  readonly clock: Clock
  readonly encryptionKey: Uint8Array
}

export function createVault({ store, clock, encryptionKey }: VaultParts): Vault {
  const seal = createSeal(encryptionKey)
  const fingerprintKey = derivedKey(encryptionKey, 'carrick fingerprints')
  return {
    keep: (scope, name, value, defaultExposed) =>
      putSecret({
        ...scope,
        name,
        sealed: seal.seal(value, placeOf({ ...scope, name })),
        defaultExposed,
        createdAt: clock.now(),
      }),
    async exposed(scope, allowed) {
      const secrets = await store.read(secretsOf(scope))
      const seen = secrets.filter((secret) => isExposed(secret, allowed))
      return Object.fromEntries(seen.map((secret) => [secret.name, openSecret(seal, secret)]))
    },
    fingerprint: (value) => createHmac('sha256', fingerprintKey).update(value).digest('hex'),
  }
}

/** The same secrets under another key. */
export function resealed(secrets: readonly StoredSecret[], from: Uint8Array, to: Uint8Array): StoredSecret[] {
  const [before, after] = [createSeal(from), createSeal(to)]
  return secrets.map((secret) => ({ ...secret, sealed: after.seal(openSecret(before, secret), placeOf(secret)) }))
}

function openSecret(seal: Seal, secret: StoredSecret): string {
  try {
    return seal.open(secret.sealed, placeOf(secret))
  } catch (cause) {
    throw new Error(`the secret "${secret.name}" of environment "${secret.environment}" cannot be decrypted`, { cause })
  }
}

const placeOf = ({ accountId, environment, name }: Pick<StoredSecret, 'accountId' | 'environment' | 'name'>) => [
  accountId,
  environment,
  name,
]
