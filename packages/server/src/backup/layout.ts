/**
 * What a backup looks like inside: a tar archive under zstd, and under age where it has a passphrase. First the head, then
 * the files under the names that they have in a data folder, then the SHA-256 of each (as `sha256sum -c` reads them), then the end.
 */
import { z } from 'zod'

export const formatVersion = 1
export const headName = 'carrick-backup.json'
export const sumsName = 'SHA256SUMS'
export const endName = 'end.json'

/** What is known before the first file. */
export const Head = z.object({
  format: z.literal(formatVersion, 'it was made by a newer version of Carrick: restore it with that version'),
  carrick: z.string(),
  created_at: z.string(),
  installation: z.string(),
  owner: z.string(),
  /** The newest step of the store's schema. */
  schema: z.number(),
  /** The bucket that keeps blobs and uploads, which are not in here then; empty where the data folder keeps them. */
  kept_at: z.string(),
  logs: z.boolean(),
  /** As they were counted; files of runners may come, go and grow meanwhile. */
  files: z.int().min(0),
  bytes: z.int().min(0),
})
export type Head = z.infer<typeof Head>

/** What is known after the last one. An archive without it is not whole. */
export const End = z.object({ files: z.number(), bytes: z.number(), sums: z.string() })

/** Most bytes that an archive may unpack to: what was counted may have doubled while it was read. */
export const mostBytes = ({ bytes }: Pick<Head, 'bytes'>): number => 2 * bytes + 2 ** 30

/** Whose a file is: one of ours is an ordinary file, what runners keep may have folders and links. */
export type Owner = 'platform' | 'runners'

const platform = [
  /^carrick\.sqlite$/,
  /^carrick\.toml$/,
  /^encryption\.key$/,
  /^credentials\.json$/,
  /^tls(?:\/[\w.-]+)+$/,
  /^blobs\/kept-elsewhere$/,
  /^blobs\/([0-9a-f]{2})\/\1[0-9a-f]{62}$/,
  /^objects\/([0-9a-f]{2})\/\1[0-9a-f]{38}$/,
  /^logs\/\d{4}-\d{2}-\d{2}\.sqlite$/,
]

/** Whose file this is by its name; undefined for a name that no backup holds, such as one that leads elsewhere. */
export function ownerOf(name: string): Owner | undefined {
  const names = name.split('/')
  const isPlain = names.every((each) => each !== '' && each !== '.' && each !== '..' && Buffer.byteLength(each) <= 255)
  if (!isPlain || name.includes('\0') || Buffer.byteLength(name) > 64 * 1024) return undefined
  if (platform.some((pattern) => pattern.test(name))) return 'platform'
  return names[0] === 'data' && names.length > 1 ? 'runners' : undefined
}

/** A line of the sums, as `sha256sum` writes it. */
export function sumLine(sum: string, name: string): string {
  if (!/[\\\n\r]/.test(name)) return `${sum}  ${name}\n`
  const escaped = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return `\\${sum}  ${escaped}\n`
}
