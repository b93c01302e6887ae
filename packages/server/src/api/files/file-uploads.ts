import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { shownPath } from '../../domain/file-path.ts'
import { DataPath, Form } from './files.ts'
import { formFile } from './form-file.ts'
import { operation } from '../operation.ts'

/** Which upload, and the number of a part. */
export const PartOf = { upload: z.string(), number: z.coerce.number().int() }

/** The parts as the client counts them, from the answers that it had. */
export const Parts = z.array(z.object({ part_number: z.number().int(), etag: z.string() })).max(100_000)

export const partsOf = (parts: z.output<typeof Parts>) =>
  parts.map(({ part_number: number, etag }) => ({ number, etag }))

/** Begins a file that comes in parts, and answers the upload's id. */
export const beginUpload = operation(
  { permission: 'files:write', input: z.object({ path: DataPath }) },
  ({ uploads, fileLimits, quotas }, { accountId }, { path }) =>
    uploads.begin({ accountId, target: shownPath(path) }, Math.min(fileLimits.bytes, quotas.roomOf(accountId))),
)

/** Takes in a part, and answers its MD5. */
export const uploadPart = operation(
  { permission: 'files:write', input: z.object({ path: DataPath, ...PartOf, ...Form }) },
  async ({ uploads, quotas }, { accountId }, { path, upload, number, ...form }) => {
    quotas.roomOf(accountId)
    const etag = await formFile(form, (content) =>
      uploads.part(upload, { accountId, target: shownPath(path) }, number, content),
    )
    return { number, etag }
  },
)

/** Puts the parts together and the file in its place. Answers the MD5 of the whole. */
export const completeUpload = operation(
  { permission: 'files:write', input: z.object({ path: DataPath, upload: z.string(), parts: Parts }) },
  ({ uploads, files, quotas }, { accountId }, { path, upload, parts }) =>
    uploads.complete(upload, { accountId, target: shownPath(path) }, partsOf(parts), async (whole) => {
      await quotas.within(accountId, Infinity, async (most) => {
        if (whole.length > most) throw new CarrickError('body_too_large', 'the file is larger than what is left')
        return whole
      })
      await files.place(accountId, [{ path, draft: whole.path }])
      return whole.md5
    }),
  { action: 'upload file', about: ({ path }) => ({ subject: shownPath(path) }) },
)

export const cancelUpload = operation(
  { permission: 'files:write', input: z.object({ path: DataPath, upload: z.string() }) },
  ({ uploads }, { accountId }, { path, upload }) => uploads.cancel(upload, { accountId, target: shownPath(path) }),
)
