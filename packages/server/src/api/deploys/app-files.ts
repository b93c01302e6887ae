import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { checkApart, relativePathOf } from '../../domain/file-path.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { AppFile } from '../../domain/revision.ts'
import { addAppFile, appFilesByHash, useAppFiles } from '../../store/app-files.ts'
import type { Deps } from '../deps.ts'
import { Form } from '../files/files.ts'
import { PartOf, Parts, partsOf } from '../files/file-uploads.ts'
import { formFile } from '../files/form-file.ts'
import { operation } from '../operation.ts'

/** SHA-256 over a file's bytes and the decimal text of its mode (control-protocol §4.6). */
const Hash = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
/** A regular file's `st_mode`, in decimal digits. */
const Mode = z.coerce
  .number()
  .int()
  .refine((mode) => mode >> 12 === 0o10, 'is not that of a regular file')

const largest = 1024 ** 3
const mostFiles = 20_000

const targetOf = (hash: string) => `app file ${hash}`

/** Those of these that the account has not uploaded. What others have uploaded says nothing here. */
export const missingHashes = operation(
  { permission: 'apps:write', input: z.object({ hashes: z.array(Hash).max(mostFiles) }) },
  async ({ store }, { accountId }, { hashes }) => {
    const known = new Set((await appFilesByHash(store, accountId, hashes)).map(({ hash }) => hash))
    return [...new Set(hashes)].filter((hash) => !known.has(hash))
  },
)

export const beginAppFile = operation(
  { permission: 'apps:write', input: z.object({ hash: Hash }) },
  ({ uploads }, { accountId }, { hash }) => uploads.begin({ accountId, target: targetOf(hash) }, largest),
)

export const appFilePart = operation(
  { permission: 'apps:write', input: z.object({ hash: Hash, ...PartOf, ...Form }) },
  async ({ uploads }, { accountId }, { hash, upload, number, ...form }) => ({
    number,
    etag: await formFile(form, (content) =>
      uploads.part(upload, { accountId, target: targetOf(hash) }, number, content),
    ),
  }),
)

/** Stores the file for deploys of this account to name, when it is what its hash says. */
export const completeAppFile = operation(
  {
    permission: 'apps:write',
    input: z.object({ hash: Hash, upload: z.string(), parts: Parts, metadata: z.object({ mode: Mode }) }),
  },
  ({ uploads, blobs, store, clock }, { accountId }, { hash, upload, parts, metadata: { mode } }) =>
    uploads.complete(upload, { accountId, target: targetOf(hash) }, partsOf(parts), async ({ path, md5 }) => {
      if ((await hashOf(path, mode)) !== hash)
        throw new CarrickError('bad_request', 'The file is not what its hash says: it changed on the way. Deploy again')
      const { key } = await blobs.put(createReadStream(path))
      await store.commit(addAppFile({ accountId, hash, blob: key, mode, now: clock.now() }))
      return md5
    }),
)

export const cancelAppFile = operation(
  { permission: 'apps:write', input: z.object({ hash: Hash, upload: z.string() }) },
  ({ uploads }, { accountId }, { hash, upload }) => uploads.cancel(upload, { accountId, target: targetOf(hash) }),
)

async function hashOf(path: string, mode: number): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.update(String(mode)).digest('hex')
}

/** A file of a deploy or a run. */
export const SentFile = z.object({ hash: Hash, relativePath: z.string() })
export type SentFile = z.output<typeof SentFile>

/** What runners will find below /app. Throws `bad_request` for a path that leads elsewhere, or a file that was not uploaded. */
export async function storedFiles(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  { accountId }: Caller,
  sent: readonly SentFile[],
): Promise<readonly AppFile[]> {
  if (sent.length === 0) return []
  const paths = sent.map(({ relativePath }) => relativePathOf(relativePath))
  checkApart(paths)
  const hashes = [...new Set(sent.map(({ hash }) => hash))]
  const known = new Map((await appFilesByHash(store, accountId, hashes)).map((file) => [file.hash, file]))
  const files = sent.map(({ hash }, index) => {
    const file = known.get(hash)
    const path = paths[index]?.join('/') ?? ''
    if (file === undefined)
      throw new CarrickError(
        'bad_request',
        `The app file "${path}" has not been uploaded, or too long ago: deploy again`,
      )
    return { path, mode: file.mode, blob: file.blob }
  })
  await store.commit(useAppFiles(accountId, hashes, clock.now()))
  return files
}
