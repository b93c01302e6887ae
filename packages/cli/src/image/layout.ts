import { z } from 'zod'

/**
 * What archives of images say of themselves: `docker save` of old (manifest.json, layers that are not compressed) and the OCI
 * image layout (index.json, blobs by their digests), which newer ones of `docker save` are too.
 */
const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)
const Descriptor = z.object({
  mediaType: z.string(),
  digest: Digest,
  size: z.int().min(0),
  platform: z.object({ architecture: z.string(), os: z.string() }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
})
type Descriptor = z.infer<typeof Descriptor>

const Index = z.object({ manifests: z.array(Descriptor).max(1_000) })
const Manifest = z.object({ config: Descriptor, layers: z.array(Descriptor).max(500) })
const Saved = z
  .array(
    z.object({
      Config: z.string().max(1_000),
      RepoTags: z.array(z.string().max(500)).nullable(),
      Layers: z.array(z.string().max(1_000)).max(500),
    }),
  )
  .max(1_000)

/** A layer or a configuration, as it is in the archive. */
export interface Piece {
  /** Its file. */
  readonly path: string
  /** Known before it is read; undefined for a layer that is compressed on the way. */
  readonly digest?: string
  readonly mediaType: string
}

/** An image in an archive. */
export interface ArchivedImage {
  /** As deploys call it: `docker.io/library/python:3.11-slim`. Empty where the archive does not say. */
  readonly names: readonly string[]
  readonly config: Piece
  readonly layers: readonly Piece[]
  /** As it is in the archive, to be stored as it is; undefined where one is made. */
  readonly manifest?: { readonly bytes: Buffer; readonly mediaType: string }
}

/** What is in an archive: the small files whole, and where a link of old archives leads. */
export interface Contents {
  readonly texts: ReadonlyMap<string, Buffer>
  readonly files: ReadonlySet<string>
  readonly links: ReadonlyMap<string, string>
}

/** The images in an archive. Throws a sentence when it is no archive of images, or parts of one are missing. */
export function imagesIn(contents: Contents): readonly ArchivedImage[] {
  const { texts } = contents
  const index = texts.get('index.json')
  const saved = texts.get('manifest.json')
  if (index === undefined && saved === undefined)
    throw new Error('it is no archive of images: make one with `docker save`, or as an OCI layout')
  const images =
    index === undefined
      ? Saved.parse(jsonOf(saved)).map((each) => savedImage(each, contents))
      : Index.parse(jsonOf(index)).manifests.flatMap((each) => laidOut(each, contents, namesOf(each)))
  for (const { config, layers } of images)
    for (const { path } of [config, ...layers])
      if (!contents.files.has(path)) throw new Error(`the archive is not whole: ${path} is missing in it`)
  return images
}

function savedImage({ Config, RepoTags, Layers }: z.infer<typeof Saved>[number], { links }: Contents): ArchivedImage {
  return {
    names: RepoTags ?? [],
    config: { path: Config, mediaType: 'application/vnd.oci.image.config.v1+json' },
    // One layer may stand for several.
    layers: Layers.map((path) => ({
      path: links.get(path) ?? path,
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    })),
  }
}

const blobOf = (digest: string) => `blobs/${digest.replace(':', '/')}`
const isIndex = (type: string) => /(?:image\.index\.v1|manifest\.list\.v2)\+json$/.test(type)
const isImage = (type: string) => /(?:image\.manifest\.v1|distribution\.manifest\.v2)\+json$/.test(type)

/** Of an index that is for several machines, those images that are in the archive whole. */
function laidOut(of: Descriptor, contents: Contents, names: readonly string[]): readonly ArchivedImage[] {
  const bytes = contents.texts.get(blobOf(of.digest))
  if (bytes === undefined) return []
  if (isIndex(of.mediaType)) {
    const children = Index.parse(jsonOf(bytes)).manifests.flatMap((each) => laidOut(each, contents, names))
    return children.filter(({ config, layers }) => [config, ...layers].every(({ path }) => contents.files.has(path)))
  }
  if (!isImage(of.mediaType)) return []
  const manifest = Manifest.parse(jsonOf(bytes))
  const layers = manifest.layers.map(pieceOf)
  // What is said about an image, such as a signature, is no image.
  if (layers.some(({ mediaType }) => !/(?:layer|rootfs)/.test(mediaType))) return []
  return [{ names, config: pieceOf(manifest.config), layers, manifest: { bytes, mediaType: of.mediaType } }]
}

const pieceOf = ({ digest, mediaType }: Descriptor): Piece => ({ path: blobOf(digest), digest, mediaType })

/** The whole name where the writer says it; a tag alone is none. */
function namesOf({ annotations = {} }: Descriptor): readonly string[] {
  const said = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name']
  return said?.includes(':') === true ? [said] : []
}

function jsonOf(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString('utf8') ?? '')
  } catch (cause) {
    throw new Error('it is no archive of images: what should say what is in it cannot be read', { cause })
  }
}

/** The name as it is kept: with its registry and its tag. Throws a sentence for what is no name. */
export function wholeName(name: string): string {
  const [, path = '', tag = 'latest'] = /^([a-z0-9][a-zA-Z0-9._:/-]*?)(?::([\w][\w.-]{0,127}))?$/.exec(name) ?? []
  if (path === '' || name.includes('@'))
    throw new Error(`"${name}" is not the name of an image, such as python:3.11-slim`)
  const [first = '', ...rest] = path.split('/')
  const hasHost = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost')
  if (hasHost) return `${path}:${tag}`
  return rest.length === 0 ? `docker.io/library/${path}:${tag}` : `docker.io/${path}:${tag}`
}
