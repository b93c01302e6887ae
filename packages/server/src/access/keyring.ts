import type { AccountId, KeyId } from '../domain/ids.ts'
import type { Caller, Granted } from '../domain/permissions.ts'
import type { KeyHolder } from '../store/keys.ts'
import type { Write } from '../store/store.ts'

/** A key as a person holds it: `id:secret`. */
export interface Credentials {
  readonly keyId: KeyId
  readonly secret: string
}

export interface PreparedKey {
  readonly credentials: Credentials
  readonly write: Write<unknown>
}

/** All live keys in memory, hashed. To know who calls costs no read. */
export interface Keyring {
  /** The caller, or undefined for an unknown, revoked or wrong key. Compares in constant time. */
  identify(credentials: Credentials): Caller | undefined
  /** As whom the holder of a live key calls, for those who have shown something else that its holder was given. */
  holderOf(keyId: KeyId): Caller | undefined
  /** Aborts when the key counts no more: it was revoked, or its runner ended. One signal for all who ask for a key's. */
  endOf(keyId: KeyId): AbortSignal
  /** An account's live keys with their aliases. */
  aliasesOf(accountId: AccountId): Iterable<readonly [KeyId, string]>
  /** Makes a key and stores its hash. The secret is in the answer and nowhere else. */
  mint(accountId: AccountId, permissions: readonly Granted[], alias: string): Promise<Credentials>
  /**
   * Makes a key that counts from the moment its write is committed: for keys that are stored together with something
   * else. A runner's counts soon after `learn` is told of it.
   */
  prepare(accountId: AccountId, permissions: readonly Granted[], alias: string, holder?: KeyHolder): PreparedKey
  revoke(keyId: KeyId): Promise<void>
  /** A runner's key was stored. */
  learn(keyId: KeyId): void
  /** A runner's key was revoked in the store: it counts no more. */
  forget(keyId: KeyId): void
  /** Resolves when what was committed before the call is known here. */
  refresh(): Promise<void>
  /** Calls back whenever what is known here has been read anew, before those who wait for `refresh` go on. */
  onRefresh(listener: () => void): void
}
