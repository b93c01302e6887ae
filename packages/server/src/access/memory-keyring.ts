import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { AccountId, KeyId } from '../domain/ids.ts'
import { held, type Caller, type Granted } from '../domain/permissions.ts'
import type { Clock } from '../kit/clock.ts'
import { uuidv7 } from '../kit/ids.ts'
import { silent, type Logger } from '../kit/logger.ts'
import { addKey, liveKeyById, liveKeys, revokeKey, type KeyHolder, type LiveKey } from '../store/keys.ts'
import type { Store } from '../store/store.ts'
import type { Keyring, PreparedKey } from './keyring.ts'

interface Known {
  readonly secretHash: Uint8Array
  readonly caller: Caller
  readonly alias: string
}

/** What the secret of an unknown key is compared with, so that its answer takes as long as any other. */
const nobody = randomBytes(32)

/** The keys of a store, read at the start and again after every change of theirs. */
export async function createKeyring(store: Store, clock: Clock, log: Logger = silent): Promise<Keyring> {
  let keys = new Map<KeyId, Known>()
  /** What was learnt of single keys while all are being read: that read may have begun before. */
  let meanwhile: Map<KeyId, Known | undefined> | undefined
  /** Single keys that are being read. */
  const learning = new Set<KeyId>()
  let reading: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  const listeners: (() => void)[] = []
  /** Of those keys for whose end somebody waits. */
  const ends = new Map<KeyId, AbortController>()

  async function readAll(): Promise<void> {
    const learnt = (meanwhile = new Map<KeyId, Known | undefined>())
    keys = new Map((await store.read(liveKeys())).map((key) => [key.id, knownOf(key)]))
    meanwhile = undefined
    for (const [id, known] of learnt) note(id, known)
    for (const id of ends.keys()) if (!keys.has(id)) ended(id)
    for (const listener of listeners) listener()
  }

  function note(id: KeyId, known: Known | undefined): void {
    meanwhile?.set(id, known)
    if (known !== undefined) return void keys.set(id, known)
    keys.delete(id)
    ended(id)
  }

  function ended(id: KeyId): void {
    ends.get(id)?.abort()
    ends.delete(id)
  }

  function endOf(id: KeyId): AbortSignal {
    if (!keys.has(id)) return AbortSignal.abort()
    const end = ends.get(id) ?? new AbortController()
    ends.set(id, end)
    return end.signal
  }

  async function learn(id: KeyId): Promise<void> {
    learning.add(id)
    const key = await store.read(liveKeyById(id))
    if (learning.delete(id) && key !== undefined) note(id, knownOf(key))
  }

  // A read that is under way may be too early for its caller, so one that begins later is shared by all who ask.
  function refresh(): Promise<void> {
    next ??= reading
      .catch(() => {})
      .then(() => {
        next = undefined
        return (reading = readAll())
      })
    return next
  }

  function prepare(
    accountId: AccountId,
    permissions: readonly Granted[],
    alias: string,
    holder: KeyHolder = 'person',
  ): PreparedKey {
    const credentials = newCredentials(clock)
    const { keyId: id, secret } = credentials
    const key = { id, accountId, secretHash: hashOf(secret), permissions, alias, createdAt: clock.now(), holder }
    return { credentials, write: addKey(key) }
  }

  await refresh()
  const refreshed = () => {
    refresh().catch((error: unknown) => log.error({ err: error }, 'the keys could not be read again after a change'))
  }
  store.onChange('key', refreshed)

  return {
    identify({ keyId, secret }) {
      const known = keys.get(keyId)
      const right = timingSafeEqual(hashOf(secret), known?.secretHash ?? nobody)
      return right ? known?.caller : undefined
    },
    holderOf: (keyId) => keys.get(keyId)?.caller,
    endOf,
    *aliasesOf(accountId) {
      for (const [id, { alias, caller }] of keys) if (caller.accountId === accountId) yield [id, alias]
    },
    async mint(accountId, permissions, alias) {
      const { credentials, write } = prepare(accountId, permissions, alias)
      await store.commit(write)
      await refresh()
      return credentials
    },
    prepare,
    async revoke(keyId) {
      await store.commit(revokeKey(keyId, clock.now()))
      await refresh()
    },
    learn: (keyId) => void learn(keyId).catch(() => (learning.delete(keyId), refreshed())),
    forget: (keyId) => (learning.delete(keyId), note(keyId, undefined)),
    refresh,
    onRefresh: (listener) => void listeners.push(listener),
  }
}

/** A key nobody has yet. */
export function newCredentials(clock: Clock): { keyId: KeyId; secret: string } {
  return { keyId: uuidv7(clock), secret: randomBytes(24).toString('hex') }
}

/** SHA-256. The secret is 192 bits of chance, so nothing slower is needed. */
export function hashOf(secret: string): Uint8Array {
  return hash('sha256', secret, 'buffer')
}

function knownOf({ id, accountId, nickname, permissions, operator, secretHash, alias }: LiveKey): Known {
  return {
    secretHash,
    alias,
    caller: { accountId, nickname, keyId: id, permissions: held(permissions, { operator }), operator },
  }
}
