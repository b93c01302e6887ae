import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { algorithmOf, isTag } from '../domain/image-names.ts'
import {
  deleteManifest,
  deleteTag,
  manifestAt,
  missingOf,
  putManifest,
  repositoryExists,
  type Manifest,
} from '../store/registry.ts'
import type { Visitor } from './access.ts'
import type { RegistryDeps } from './deps.ts'
import { RegistryError } from './errors.ts'
import { answer, type Exchange } from './exchange.ts'
import { notes } from './note.ts'
import { together } from '../store/sql.ts'
import { readManifest, type ReadManifest } from './manifest.ts'

/** As the specification asks of registries at least. */
const manifestLimit = 4 * 1024 * 1024

interface ManifestPlace {
  readonly repository: string
  readonly reference: string
}

/** GET and HEAD of a manifest, by a tag or its digest. What a client accepts is not looked at: there is one form of each. */
export async function getManifest(deps: RegistryDeps, exchange: Exchange, visitor: Visitor, place: ManifestPlace) {
  visitor.mayRead(place.repository)
  const { req, res } = exchange
  const found = await deps.store.read(manifestAt(place.repository, place.reference))
  if (found === undefined) throw await unknownManifest(deps, place)
  const headers = {
    'content-type': found.mediaType,
    'content-length': found.length,
    'docker-content-digest': found.digest,
    etag: `"${found.digest}"`,
  }
  if (req.headers['if-none-match'] === headers.etag) return answer(exchange, 304, { ...headers, 'content-length': 0 })
  if (req.method === 'HEAD') return answer(exchange, 200, headers)
  const body = await deps.blobs.open(found.blob)
  res.writeHead(200, headers)
  await pipeline(body, res).catch(() => res.destroy())
}

/** PUT of a manifest. All that it names has to be there. */
export async function storeManifest(
  deps: RegistryDeps,
  exchange: Exchange,
  visitor: Visitor,
  { repository, reference, query }: ManifestPlace & { readonly query: URLSearchParams },
) {
  visitor.mayWrite(repository)
  const bytes = await wholeBody(exchange.req)
  const isByDigest = reference.includes(':')
  const digest = digestOf(bytes, isByDigest ? algorithmOf(reference) : 'sha256')
  if (isByDigest && digest !== reference)
    throw new RegistryError('DIGEST_INVALID', `the digest of what came is ${digest}, not ${reference}`)
  const tags = isByDigest ? tagsIn(query) : [reference]
  const { named, ...read } = readManifest(bytes, exchange.req.headers['content-type'])
  await requireNamed(deps, repository, named)
  const { key, length } = await deps.blobs.put(bytes)
  const manifest = { ...read, digest, blob: key, length }
  await put(deps, visitor, repository, { manifest, named, tags: visitor.tags ? tags : [] })
  answer(exchange, 201, {
    location: `/v2/${repository}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(read.subject === undefined ? {} : { 'oci-subject': read.subject }),
    ...(isByDigest && tags.length > 0 ? { 'oci-tag': tags.join(', ') } : {}),
  })
}

/** DELETE of a tag, or of a manifest with its tags. */
export async function removeManifest(deps: RegistryDeps, exchange: Exchange, visitor: Visitor, place: ManifestPlace) {
  const { repository, reference } = place
  visitor.mayWrite(repository)
  const { store, clock } = deps
  if (!reference.includes(':')) {
    if (!(await store.commit(deleteTag(repository, reference, clock.now())))) throw await unknownManifest(deps, place)
    await noteDeletion(deps, visitor, `${repository}:${reference}`)
    return answer(exchange, 202, {})
  }
  if ((await store.read(manifestAt(repository, reference))) === undefined) throw await unknownManifest(deps, place)
  if ((await deps.pinned([reference])).has(reference))
    throw new RegistryError(
      'DENIED',
      `an environment of this server is made of ${reference}: it goes when no app needs it`,
    )
  if (!(await store.commit(deleteManifest(repository, reference))))
    throw new RegistryError('DENIED', `another manifest of ${repository} names ${reference}: delete that first`)
  await noteDeletion(deps, visitor, `${repository}@${reference}`)
  answer(exchange, 202, {})
}

async function noteDeletion({ store, clock }: RegistryDeps, visitor: Visitor, subject: string): Promise<void> {
  for (const note of notes(visitor, clock, { action: 'delete_image', subject })) await store.commit(note)
}

interface Tagged {
  readonly manifest: Manifest
  readonly named: ReadManifest['named']
  readonly tags: readonly string[]
}

async function put(
  { store, clock }: RegistryDeps,
  visitor: Visitor,
  repository: string,
  { manifest, named, tags }: Tagged,
): Promise<void> {
  const { digest } = manifest
  const pushed = tags.flatMap((tag) =>
    notes(visitor, clock, { action: 'push_image', subject: `${repository}:${tag}`, digest }),
  )
  try {
    await store.commit(together(putManifest(repository, manifest, { named, tags, now: clock.now() }), ...pushed))
  } catch (error) {
    await requireNamed({ store }, repository, named) // it was there a moment ago
    throw error
  }
}

async function requireNamed({ store }: Pick<RegistryDeps, 'store'>, repository: string, named: ReadManifest['named']) {
  const missing = await store.read(missingOf(repository, named))
  if (missing.length === 0) return
  throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `${repository} does not hold ${missing.slice(0, 5).join(', ')}`)
}

async function unknownManifest({ store }: RegistryDeps, { repository, reference }: ManifestPlace) {
  const isThere = await store.read(repositoryExists(repository))
  if (!isThere) return new RegistryError('NAME_UNKNOWN', `there is no repository ${repository}`)
  return new RegistryError('MANIFEST_UNKNOWN', `${repository} has no manifest ${reference}`)
}

function tagsIn(query: URLSearchParams): readonly string[] {
  const tags = [...new Set(query.getAll('tag'))]
  const wrong = tags.find((tag) => !isTag(tag))
  if (wrong !== undefined) throw new RegistryError('MANIFEST_INVALID', `"${wrong.slice(0, 200)}" can be no tag`)
  if (tags.length > mostTags)
    throw new RegistryError('MANIFEST_INVALID', `more than ${mostTags} tags at a time`, { status: 414 })
  return tags
}

const mostTags = 50

function digestOf(bytes: Buffer, algorithm: 'sha256' | 'sha512'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`
}

async function wholeBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length
    if (length > manifestLimit) throw new RegistryError('SIZE_INVALID', `a manifest has ${manifestLimit} bytes at most`)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}
