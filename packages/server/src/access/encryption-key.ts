import { createHmac, randomBytes } from 'node:crypto'
import { chmod, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { replaceFile, syncFolder } from '../kit/files.ts'
import { allSecrets, encryptionKeyMark, resealSecrets } from '../store/secrets.ts'
import { resealSigningKey, sealedSigningKey } from '../store/signing-key.ts'
import { together } from '../store/sql.ts'
import type { Store } from '../store/store.ts'
import { resealedSigningKey } from './signer.ts'
import { resealed } from './vault.ts'

const keyBytes = 32

/** Where the key waits that comes next: until the store says that the secrets are under it, the old one counts. */
const nextOf = (file: string) => `${file}.next`

/**
 * The installation's encryption key. Made when there is none; a rotation that a crash cut short is completed or undone,
 * whichever the stored secrets are under. Throws a sentence when they are under neither.
 */
export async function openEncryptionKey(store: Store, file: string): Promise<Uint8Array> {
  const mark = await store.read(encryptionKeyMark())
  const next = await readKey(nextOf(file))
  if (next !== undefined && mark === markOf(next)) await promote(file)
  const found = await readKey(file)
  if (found !== undefined) await chmod(file, 0o600)
  const isRight = found !== undefined && (mark === undefined || mark === markOf(found))
  if (!isRight && (await holdsSealed(store))) throw wrongKey(file, found !== undefined)

  const key = found ?? (await newKey(file))
  if (mark !== markOf(key)) await store.commit(resealSecrets([], markOf(key)))
  await rm(nextOf(file), { force: true })
  return key
}

/** Puts every secret, and the signing key, under a new key, and answers how many secrets there are. Nobody else may have the store open. */
export async function rotateEncryptionKey(store: Store, file: string): Promise<number> {
  const old = await openEncryptionKey(store, file)
  const next = await newKey(nextOf(file))
  const secrets = resealed(await store.read(allSecrets()), old, next)
  const signing = await store.read(sealedSigningKey())
  const more = signing === undefined ? [] : [resealSigningKey(resealedSigningKey(signing, old, next))]
  await store.commit(together(resealSecrets(secrets, markOf(next)), ...more))
  await promote(file)
  return secrets.length
}

/** Whether the store holds anything that only the right key opens. */
async function holdsSealed(store: Store): Promise<boolean> {
  return (await store.read(allSecrets())).length > 0 || (await store.read(sealedSigningKey())) !== undefined
}

/** From here on the old key is gone. */
async function promote(file: string): Promise<void> {
  await rename(nextOf(file), file)
  await syncFolder(dirname(file))
}

async function newKey(file: string): Promise<Uint8Array> {
  const key = randomBytes(keyBytes)
  await replaceFile(file, key)
  return key
}

/** What the store keeps to know the key again. It says nothing about it. */
export const markOf = (key: Uint8Array) => createHmac('sha256', key).update('carrick encryption key').digest('hex')

async function readKey(file: string): Promise<Uint8Array | undefined> {
  const found = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined || found.length === keyBytes) return found
  throw new Error(`${file} is damaged: it must hold ${keyBytes} bytes. Put back the copy from your backup`)
}

function wrongKey(file: string, isThere: boolean): Error {
  const what = isThere ? 'is not the key that the stored secrets are encrypted with' : 'is gone'
  return new Error(
    `${file} ${what}: put back the copy from your backup, else neither secrets nor the key that signs webhooks can be read`,
  )
}
