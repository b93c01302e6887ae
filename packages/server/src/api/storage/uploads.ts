import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { StoredFile } from '../../blobs/object-files.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { ObjectId } from '../../domain/ids.ts'
import {
  bareEtag,
  chosenParts,
  objectName,
  objectType,
  type ListedPart,
  type Part,
  type StoredObject,
} from '../../domain/object.ts'
import {
  addObject,
  completeObject,
  objectById,
  partsOf,
  putPart,
  putWhole,
  forgetObject,
  type Taken,
} from '../../store/objects.ts'
import type { Incoming } from '../rest/body.ts'
import type { Deps } from '../deps.ts'
import type { Lifecycle } from './lifecycle.ts'
import { operation } from '../operation.ts'

/** How long an upload may take from its first call to its last. */
const uploadMs = 24 * 3_600_000
const mostParts = 10_000

const NewUpload = z.object({
  fileName: z.string().nullish(),
  contentType: z.string().nullish(),
  lifecycle: z.custom<Lifecycle>(),
})

/** Something that is being uploaded, and the ticket that leads to it. */
export interface Upload {
  readonly object: StoredObject
  readonly ticket: string
}

/** Makes room for an upload. Its address is known from here on, and dead until it is whole. */
export const startUpload = operation(
  { permission: 'storage:upload', input: NewUpload, whileDraining: true },
  async (deps, caller, { fileName, contentType, lifecycle }): Promise<Upload> => {
    const now = deps.clock.now()
    const lifetimeMs = lifecycle.lifetimeMs ?? deps.storage.retentionMs
    const object = {
      id: randomBytes(24).toString('base64url'),
      accountId: caller.accountId,
      name: objectName(fileName ?? undefined),
      contentType: objectType(contentType ?? undefined),
      acl: lifecycle.acl,
      lifetimeMs: Number.isFinite(lifetimeMs) ? lifetimeMs : undefined,
      dropAt: now + uploadMs,
      version: 0,
    }
    await deps.store.commit(addObject(object, now))
    const ticket = await deps.uploadTokens.ticketFor({ objectId: object.id, keyId: caller.keyId }, object.dropAt)
    return { object, ticket }
  },
)

/** A token that uploads to the caller's account and nothing else, short-lived. */
export const issueUploadToken = operation(
  { permission: 'storage:upload', input: z.object({}), whileDraining: true },
  (deps, caller) => deps.uploadTokens.issue(caller),
)

/** Uploads in one go. What fails leaves nothing behind. */
export const uploadAtOnce = operation(
  { permission: 'storage:upload', input: NewUpload.extend({ body: z.custom<Incoming>() }), whileDraining: true },
  async (deps, caller, { body, ...input }, attention): Promise<StoredObject> => {
    const { object } = await startUpload(deps, caller, input, attention)
    try {
      await receiveWhole(deps, object, body)
    } catch (error) {
      await deps.store.commit(forgetObject(object.id))
      throw error
    }
    return object
  },
)

/** The upload of this id, if it is one of the caller's account. Throws `upload_not_found`. */
export const ownUpload = operation(
  { permission: 'storage:upload', input: z.object({ id: z.string() }), whileDraining: true },
  async (deps, caller, { id }): Promise<StoredObject> => {
    const object = await deps.store.read(objectById(id))
    if (object?.accountId !== caller.accountId) throw unknownUpload()
    return object
  },
)

/** The upload that a ticket leads to. Throws `upload_not_found`. */
export async function uploadOf(deps: Deps, ticket: string): Promise<StoredObject> {
  const redeemed = await deps.uploadTokens.redeem(ticket)
  const object = redeemed && (await deps.store.read(objectById(redeemed.objectId)))
  if (object === undefined) throw unknownUpload()
  return object
}

/** The parts that have come so far, in the order of their numbers. A restart loses none. */
export function partsReceived(deps: Deps, { id }: StoredObject): Promise<readonly Part[]> {
  return deps.store.read(partsOf(id))
}

/** Takes in all of an object and answers its etag. The same bytes may come again: an answer can get lost. */
export async function receiveWhole(deps: Deps, object: StoredObject, body: Incoming): Promise<string> {
  const file = await stored(deps, body, deps.storage.uploadBytes)
  const outcome = await settled(deps, object.id, { ...file, number: 1 }, (part) =>
    putWhole(object.id, part, dropAtOf(object, deps.clock.now())),
  )
  if (!outcome.taken) await requireSame(deps, object.id, file.etag)
  return file.etag
}

/** Takes in one part, in place of an earlier one of this number, and answers its etag. */
export async function receivePart(deps: Deps, object: StoredObject, number: number, body: Incoming): Promise<string> {
  if (!(Number.isInteger(number) && number >= 1 && number <= mostParts))
    throw new CarrickError('bad_request', `Parts are numbered from 1 to ${mostParts}`)
  const others = (await deps.store.read(partsOf(object.id))).filter((part) => part.number !== number)
  const file = await stored(deps, body, deps.storage.uploadBytes - lengthOf(others))
  const { taken } = await settled(deps, object.id, { ...file, number }, (part) => putPart(object.id, part))
  if (!taken) await requireSamePart(deps, object.id, number, file.etag)
  return file.etag
}

/** Puts the parts together, in the order of their numbers. Asking again changes nothing. */
export async function completeUpload(deps: Deps, id: ObjectId, listed: readonly ListedPart[]): Promise<StoredObject> {
  for (;;) {
    const object = await deps.store.read(objectById(id))
    if (object === undefined) throw unknownUpload()
    if (object.whole !== undefined) return object
    const { kept, dropped } = chosenParts(await deps.store.read(partsOf(id)), listed)
    const length = lengthOf(kept)
    if (length > deps.storage.uploadBytes) throw tooLarge(deps)
    const { version } = object
    const completion = { length, etag: etagOf(kept), dropped, version, dropAt: dropAtOf(object, deps.clock.now()) }
    // A part that came meanwhile makes this look again.
    if (await deps.store.commit(completeObject(id, completion))) {
      await removeFiles(
        deps,
        dropped.map(({ file }) => file),
      )
      return { ...object, whole: completion }
    }
  }
}

/** Puts the bytes on disk. What is known to be too much is refused before a byte of it is read. */
async function stored(deps: Deps, { stream, declared }: Incoming, limit: number): Promise<StoredFile> {
  if (declared > limit) throw tooLarge(deps)
  return deps.objects.put(stream, limit).catch((error: unknown) => {
    if (stream.errored === null) throw error
    throw new CarrickError('client_disconnected', 'The upload broke off, and nothing of it was kept', { cause: error })
  })
}

/** A file that no row came to name is taken away again. */
async function settled(
  deps: Deps,
  id: ObjectId,
  part: Part,
  put: (part: Part) => ReturnType<typeof putPart>,
): Promise<Taken> {
  const outcome = await deps.store.commit(put(part)).catch(async (error: unknown) => {
    await removeFiles(deps, [part.file])
    throw error
  })
  await removeFiles(deps, outcome.left)
  return outcome
}

async function requireSame(deps: Deps, id: ObjectId, etag: string): Promise<void> {
  const object = await deps.store.read(objectById(id))
  if (object === undefined) throw unknownUpload()
  if (object.whole?.etag !== etag) throw complete()
}

async function requireSamePart(deps: Deps, id: ObjectId, number: number, etag: string): Promise<void> {
  const parts = await deps.store.read(partsOf(id))
  if (parts.length === 0) throw unknownUpload()
  if (!parts.some((part) => part.number === number && part.etag === bareEtag(etag))) throw complete()
}

export async function removeFiles(deps: Pick<Deps, 'objects' | 'log'>, files: readonly string[]): Promise<void> {
  for (const file of files) {
    await deps.objects
      .remove(file)
      .catch((error: unknown) => deps.log.warn({ err: error, file }, 'a file that nothing names could not be deleted'))
  }
}

function dropAtOf({ lifetimeMs }: StoredObject, now: number): number | undefined {
  return lifetimeMs === undefined ? undefined : now + lifetimeMs
}

const lengthOf = (parts: readonly Part[]): number => parts.reduce((sum, { length }) => sum + length, 0)

/** As S3 makes it: the MD5 of the parts' own, and how many there are. */
function etagOf(parts: readonly Part[]): string {
  const hash = createHash('md5')
  for (const { etag } of parts) hash.update(Buffer.from(etag, 'hex'))
  return `${hash.digest('hex')}-${parts.length}`
}

const unknownUpload = () =>
  new CarrickError(
    'upload_not_found',
    'There is no upload under this address: it is wrong, or its time is over, or its key was revoked. Start the upload again',
  )
const complete = () =>
  new CarrickError('upload_complete', 'This upload is complete, and a stored file never changes. Start a new one')
const tooLarge = (deps: Deps) =>
  new CarrickError(
    'body_too_large',
    `The file is larger than the ${deps.storage.uploadBytes} bytes that CARRICK_UPLOAD_LIMIT allows`,
  )
