import { holderOf, holdBlob, mountBlob, type ImageBlob } from '../store/registry.ts'
import { isRepository, ownerOf } from '../domain/image-names.ts'
import type { Visitor } from './access.ts'
import { chunkRange } from './byte-range.ts'
import type { RegistryDeps } from './deps.ts'
import { RegistryError } from './errors.ts'
import { answer, type Exchange } from './exchange.ts'
import { digestIn } from './routes.ts'
import type { Upload } from './upload.ts'

interface Asked {
  readonly repository: string
  readonly query: URLSearchParams
}

interface AskedOf extends Asked {
  readonly id: string
}

/** POST: a blob of another repository is mounted, a whole blob comes with the request, or an upload begins. */
export async function beginUpload(deps: RegistryDeps, exchange: Exchange, visitor: Visitor, asked: Asked) {
  const { repository, query } = asked
  visitor.mayWrite(repository)
  const mount = query.get('mount')
  if (mount !== null && (await mounted(deps, visitor, asked, digestIn(mount)))) {
    return created(exchange, repository, digestIn(mount))
  }
  const whole = query.get('digest')
  const digest = whole === null ? undefined : digestIn(whole)
  const upload = await deps.uploads.begin({ visitor: visitor.id, repository })
  if (digest === undefined) return underWay(exchange, upload, 202)
  try {
    await upload.append(exchange.req, visitor.isKnown)
  } catch (error) {
    await upload.drop() // nobody knows its name
    throw error
  }
  await finish(deps, exchange, upload, digest)
}

/** PATCH: more of it. */
export async function appendUpload(deps: RegistryDeps, exchange: Exchange, visitor: Visitor, asked: AskedOf) {
  visitor.mayWrite(asked.repository)
  const upload = deps.uploads.find(asked.id, { visitor: visitor.id, repository: asked.repository })
  await append(exchange, visitor, upload)
  underWay(exchange, upload, 202)
}

/** PUT: the rest of it, if any, and its digest. */
export async function endUpload(deps: RegistryDeps, exchange: Exchange, visitor: Visitor, asked: AskedOf) {
  visitor.mayWrite(asked.repository)
  const upload = deps.uploads.find(asked.id, { visitor: visitor.id, repository: asked.repository })
  const digest = digestIn(asked.query.get('digest') ?? '')
  await append(exchange, visitor, upload)
  await finish(deps, exchange, upload, digest)
}

/** GET: how far it is. */
export function showUpload(deps: RegistryDeps, exchange: Exchange, visitor: Visitor, asked: AskedOf) {
  visitor.mayWrite(asked.repository)
  underWay(exchange, deps.uploads.find(asked.id, { visitor: visitor.id, repository: asked.repository }), 204)
}

export async function cancelUpload(deps: RegistryDeps, exchange: Exchange, visitor: Visitor, asked: AskedOf) {
  visitor.mayWrite(asked.repository)
  const upload = deps.uploads.find(asked.id, { visitor: visitor.id, repository: asked.repository })
  if (upload.isBusy) throw new RegistryError('TOOMANYREQUESTS', 'another request is working on this upload')
  await upload.drop()
  answer(exchange, 204, {})
}

async function append({ req }: Exchange, visitor: Visitor, upload: Upload): Promise<void> {
  const header = req.headers['content-range']
  if (header !== undefined) requireNext(header, req.headers['content-length'], upload)
  await upload.append(req, visitor.isKnown)
}

function requireNext(header: string, length: string | undefined, upload: Upload): void {
  const range = chunkRange(header)
  if (range === undefined)
    throw new RegistryError('BLOB_UPLOAD_INVALID', `Content-Range "${header}" is not well-formed`)
  const { start, end } = range
  const fits = start === upload.length && (length === undefined || Number(length) === end - start + 1)
  if (fits) return
  throw new RegistryError('BLOB_UPLOAD_INVALID', `the next byte of this upload is ${upload.length}, not ${start}`, {
    status: 416,
    headers: progressOf(upload),
  })
}

async function finish({ store, clock }: RegistryDeps, exchange: Exchange, upload: Upload, digest: string) {
  const blob: ImageBlob = await upload.finish(digest)
  const { repository } = upload.place
  await store.commit(holdBlob(repository, blob, clock.now()))
  created(exchange, repository, digest)
}

/** Whether the repository holds the blob now: from the repository that is named, else from any that is the same owner's. */
async function mounted({ store, clock }: RegistryDeps, visitor: Visitor, { repository, query }: Asked, digest: string) {
  const named = query.get('from')
  const from = named ?? (await store.read(holderOf(ownerOf(repository), digest)))
  if (from === undefined || !isRepository(from) || !mayRead(visitor, from)) return false
  return store.commit(mountBlob(from, repository, digest, clock.now()))
}

/** A mount from elsewhere is answered as if the blob were not there: the client sends it. */
function mayRead(visitor: Visitor, repository: string): boolean {
  try {
    visitor.mayRead(repository)
    return true
  } catch {
    return false
  }
}

function created(exchange: Exchange, repository: string, digest: string): void {
  answer(exchange, 201, { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest })
}

function underWay(exchange: Exchange, upload: Upload, status: number): void {
  answer(exchange, status, progressOf(upload))
}

function progressOf({ id, length, place }: Upload): Record<string, string> {
  return {
    location: `/v2/${place.repository}/blobs/uploads/${id}`,
    range: `0-${Math.max(0, length - 1)}`,
    'docker-upload-uuid': id,
  }
}
