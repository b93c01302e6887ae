import { chmod, readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { z } from 'zod'
import { CarrickError } from '../domain/errors.ts'
import type { AccountId } from '../domain/ids.ts'
import { checkOwner, defaultOwner } from '../domain/names.ts'
import { presets } from '../domain/permissions.ts'
import type { Clock } from '../kit/clock.ts'
import { replaceFile } from '../kit/files.ts'
import { uuidv7 } from '../kit/ids.ts'
import { beginInstallation, begunInstallation, type Account } from '../store/accounts.ts'
import { addKey, liveKeyById } from '../store/keys.ts'
import type { Store } from '../store/store.ts'
import type { DataFolder } from './data-folder.ts'
import { openEncryptionKey } from './encryption-key.ts'
import type { Credentials } from './keyring.ts'
import { hashOf, newCredentials } from './memory-keyring.ts'

/** Who this installation is. */
export interface Installation {
  readonly id: string
  readonly accountId: AccountId
  readonly nickname: string
  /** The ADMIN key in the credentials file. */
  readonly credentials: Credentials
  /** 32 bytes. */
  readonly encryptionKey: Uint8Array
}

export interface FirstStartOptions {
  readonly store: Store
  readonly clock: Clock
  readonly folder: Pick<DataFolder, 'path' | 'credentialsFile' | 'encryptionKeyFile'>
  /** The first account's nickname, as asked for. Undefined or empty: the stored one, else the login name. */
  readonly owner?: string | undefined
}

/**
 * Makes what an installation needs before its first call: its id, an account, an ADMIN key in a file for the owner
 * alone, an encryption key. Every part that is there is kept, so a start after a crash at any point completes the rest.
 */
export async function ensureInstallation({ store, clock, folder, owner }: FirstStartOptions): Promise<Installation> {
  const { id, account } = await ensureAccount(store, clock, folder.path, owner || undefined)
  const encryptionKey = await openEncryptionKey(store, folder.encryptionKeyFile)
  const credentials = await ensureCredentials(store, clock, folder.credentialsFile, account)
  return { id, accountId: account.id, nickname: account.nickname, credentials, encryptionKey }
}

async function ensureAccount(store: Store, clock: Clock, path: string, owner: string | undefined) {
  const begun = (await store.read(begunInstallation())) ?? (await begin(store, clock, owner))
  const { nickname } = begun.account
  if (owner === undefined || owner === nickname) return begun
  throw new CarrickError(
    'bad_request',
    `the data folder ${path} belongs to "${nickname}": start without --owner, or choose another folder for "${owner}" with --data`,
  )
}

async function begin(store: Store, clock: Clock, owner: string | undefined) {
  const nickname = owner ?? defaultOwner(userInfo().username)
  checkOwner(nickname)
  const account = { id: uuidv7(clock), nickname, fullName: nickname, createdAt: clock.now() }
  await store.commit(beginInstallation(uuidv7(clock), account))
  const begun = await store.read(begunInstallation())
  if (begun === undefined) throw new Error('the store does not show the account that was written just now')
  return begun
}

const credentialsFile = z.object({ key_id: z.string().min(1), key_secret: z.string().min(1), nickname: z.string() })

/**
 * The file is written before the store knows the key, so that no key exists whose secret is lost. A key in the file that
 * the store has never seen is added; one that was revoked, or whose secret is wrong, is replaced.
 */
async function ensureCredentials(store: Store, clock: Clock, file: string, account: Account): Promise<Credentials> {
  const kept = await readCredentials(file)
  if (kept?.nickname === account.nickname && (await isGood(store, clock, kept, account))) {
    await chmod(file, 0o600)
    return { keyId: kept.keyId, secret: kept.secret }
  }
  const fresh = newCredentials(clock)
  const content = { key_id: fresh.keyId, key_secret: fresh.secret, nickname: account.nickname }
  await replaceFile(file, `${JSON.stringify(content, null, 2)}\n`)
  await store.commit(addKey(adminKey(fresh, account, clock)))
  return fresh
}

async function isGood(store: Store, clock: Clock, kept: Credentials, account: Account): Promise<boolean> {
  const added = await store.commit(addKey(adminKey(kept, account, clock)))
  if (added) return true
  const live = await store.read(liveKeyById(kept.keyId))
  return live?.accountId === account.id && Buffer.from(live.secretHash).equals(hashOf(kept.secret))
}

function adminKey({ keyId, secret }: Credentials, account: Account, clock: Clock) {
  return {
    id: keyId,
    accountId: account.id,
    secretHash: hashOf(secret),
    permissions: presets.ADMIN,
    alias: 'first start',
    createdAt: clock.now(),
    holder: 'person' as const,
  }
}

async function readCredentials(file: string): Promise<(Credentials & { nickname: string }) | undefined> {
  const parsed = credentialsFile.safeParse(jsonOf((await readIfThere(file))?.toString()))
  if (!parsed.success) return undefined
  const { key_id: keyId, key_secret: secret, nickname } = parsed.data
  return { keyId, secret, nickname }
}

/** What a text says as JSON; undefined for a text that is cut off or edited, which counts as missing. */
function jsonOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
