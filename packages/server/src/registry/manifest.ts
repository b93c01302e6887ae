import { z } from 'zod'
import { isDigest } from '../domain/image-names.ts'
import type { Named } from '../store/registry.ts'
import { RegistryError } from './errors.ts'

/** What the registry reads in a manifest. The rest is its clients'. */
export interface ReadManifest {
  readonly mediaType: string
  readonly named: Named
  readonly subject?: string
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

const imageTypes: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
])
const indexTypes: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
])

/** Such layers are at their own addresses, and need not be here. */
const elsewhere = /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/

/** More is no image: Docker's engine takes 127 layers. */
const mostNamed = 2_000

const descriptor = z.object({
  mediaType: z.string().max(255).optional(),
  digest: z.string().refine(isDigest, 'is no digest'),
  size: z.number().int().min(0),
})
const shared = {
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  subject: descriptor.optional(),
  artifactType: z.string().max(255).optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
}
const imageForm = z.object({ ...shared, config: descriptor, layers: z.array(descriptor).max(mostNamed) })
const indexForm = z.object({ ...shared, manifests: z.array(descriptor).max(mostNamed) })

/** Reads a manifest that is sent as `contentType`. Throws `MANIFEST_INVALID` with what is wrong. */
export function readManifest(bytes: Buffer, contentType: string | undefined): ReadManifest {
  const content = parsed(bytes)
  const sent = contentType?.split(';')[0]?.trim().toLowerCase()
  const mediaType = sent === undefined || sent === '' || sent === 'application/json' ? statedIn(content) : sent
  if (mediaType === undefined) throw invalid('its media type is not said: send Content-Type')
  if (imageTypes.has(mediaType)) return imageIn(content, mediaType)
  if (indexTypes.has(mediaType)) return indexIn(content, mediaType)
  const known = [...imageTypes, ...indexTypes].join(', ')
  throw new RegistryError('MANIFEST_INVALID', `"${mediaType}" is not stored here. What is: ${known}`)
}

function imageIn(content: unknown, mediaType: string): ReadManifest {
  const image = checked(imageForm, content, mediaType)
  const { config, layers } = image
  const blobs = [config, ...layers.filter((layer) => !elsewhere.test(layer.mediaType ?? ''))]
  return {
    ...aboutOf(image, mediaType),
    // Whose own type is not said is known by that of its configuration (image specification 1.1, "referrers").
    ...typed(image.artifactType ?? config.mediaType),
    named: { blobs: digestsOf(blobs), manifests: [] },
  }
}

function indexIn(content: unknown, mediaType: string): ReadManifest {
  const index = checked(indexForm, content, mediaType)
  return {
    ...aboutOf(index, mediaType),
    ...typed(index.artifactType),
    named: { blobs: [], manifests: digestsOf(index.manifests) },
  }
}

function checked<Schema extends typeof imageForm | typeof indexForm>(
  schema: Schema,
  content: unknown,
  mediaType: string,
) {
  const read = schema.safeParse(content)
  if (!read.success)
    throw invalid(read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; '))
  if (read.data.mediaType !== undefined && read.data.mediaType !== mediaType)
    throw invalid(`it says that it is ${read.data.mediaType}, and was sent as ${mediaType}`)
  return read.data as z.output<Schema>
}

interface About {
  readonly subject?: { readonly digest: string } | undefined
  readonly annotations?: Record<string, string> | null | undefined
}

function aboutOf({ subject, annotations }: About, mediaType: string) {
  return {
    mediaType,
    ...(subject === undefined ? {} : { subject: subject.digest }),
    ...(annotations === undefined || annotations === null ? {} : { annotations }),
  }
}

const typed = (artifactType: string | undefined) => (artifactType === undefined ? {} : { artifactType })

const digestsOf = (descriptors: readonly { readonly digest: string }[]) => [
  ...new Set(descriptors.map(({ digest }) => digest)),
]

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch (cause) {
    throw new RegistryError('MANIFEST_INVALID', 'the manifest is not JSON', { cause })
  }
}

const stated = z.object({ mediaType: z.string() })
const statedIn = (content: unknown): string | undefined => stated.safeParse(content).data?.mediaType

const invalid = (why: string) => new RegistryError('MANIFEST_INVALID', `the manifest is not valid: ${why}`)
