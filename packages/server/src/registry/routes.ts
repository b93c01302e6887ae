import { isDigest, isRepository, isTag } from '../domain/image-names.ts'
import { RegistryError } from './errors.ts'

/** What an address below `/v2/` means (OCI distribution specification 1.1, "Endpoints"). */
export type Route = { readonly query: URLSearchParams } & (
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: string }
  /** By a tag or a digest. */
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: string }
)

const below =
  /^\/v2\/(?<name>.+)\/(?:tags\/list|blobs\/uploads\/?(?<upload>[^/]*)|blobs\/(?<blob>[^/]+)|manifests\/(?<manifest>[^/]+)|referrers\/(?<subject>[^/]+))$/

/** The route of a request; undefined where there is none. Throws a RegistryError for a name that can be none. */
export function routeOf(url: string): Route | undefined {
  const { path, query } = taken(url)
  if (path === '/v2/' || path === '/v2') return { kind: 'base', query }
  if (path === '/v2/_catalog') return { kind: 'catalog', query }
  const { name, upload, blob, manifest, subject } = below.exec(path)?.groups ?? {}
  if (name === undefined) return undefined
  const repository = checked(name)
  if (blob !== undefined) return { kind: 'blob', repository, digest: digestIn(blob), query }
  if (manifest !== undefined) return { kind: 'manifest', repository, reference: referenceIn(manifest), query }
  if (subject !== undefined) return { kind: 'referrers', repository, digest: digestIn(subject), query }
  if (upload === undefined) return { kind: 'tags', repository, query }
  return upload === '' ? { kind: 'uploads', repository, query } : { kind: 'upload', repository, id: upload, query }
}

/** A digest that somebody names. Throws `DIGEST_INVALID`. */
export function digestIn(text: string): string {
  if (isDigest(text)) return text
  const shown = text.slice(0, 200)
  throw new RegistryError(
    'DIGEST_INVALID',
    `"${shown}" is no digest: use sha256: or sha512: and the hexadecimal digits`,
  )
}

function taken(url: string): { path: string; query: URLSearchParams } {
  const at = url.indexOf('?')
  const path = at === -1 ? url : url.slice(0, at)
  try {
    return { path: decodeURIComponent(path), query: new URLSearchParams(at === -1 ? '' : url.slice(at + 1)) }
  } catch (cause) {
    throw new RegistryError('NAME_INVALID', 'the path is not well-formed', { cause })
  }
}

function checked(name: string): string {
  if (isRepository(name)) return name
  throw new RegistryError(
    'NAME_INVALID',
    `"${name.slice(0, 200)}" is no name of a repository: use lower-case letters, digits, and ., _ or - between them, 200 characters at most`,
  )
}

function referenceIn(text: string): string {
  if (text.includes(':')) return digestIn(text)
  if (isTag(text)) return text
  // As if it had been looked for: what cannot be a tag is none.
  throw new RegistryError('MANIFEST_UNKNOWN', `"${text.slice(0, 200)}" is no tag`)
}
