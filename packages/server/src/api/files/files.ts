import type { ReadableStream } from 'node:stream/web'
import { z } from 'zod'
import { filePathOf, shownPath } from '../../domain/file-path.ts'
import { unzip } from '../../files/unzip.ts'
import type { Draft } from '../../files/staging.ts'
import type { Deps } from '../deps.ts'
import { formFile } from './form-file.ts'
import { operation } from '../operation.ts'

/** A path as it was sent, checked. */
export const DataPath = z.string().transform((sent) => filePathOf(sent))

/** A file in the field of a form. */
export const Form = {
  body: z.custom<ReadableStream<Uint8Array>>((value) => value instanceof globalThis.ReadableStream).nullable(),
  contentType: z.string().optional(),
}

/** What is in a folder; nothing where there is none. */
export const listFiles = operation(
  { permission: 'files:read', input: z.object({ path: DataPath }) },
  async ({ files }, { accountId }, { path }) =>
    (await files.list(accountId, path)).map((entry) => ({ ...entry, path: shownPath([...path, entry.name]) })),
)

/** How much there is in `/data`, as of a minute ago at most or as often as it can be measured, and how much may be. */
export const dataUsage = operation(
  { permission: 'files:read', input: z.object({}) },
  async ({ quotas }, { accountId }) => {
    await quotas.refresh(accountId)
    return quotas.usageOf(accountId)
  },
)

export const readFile = operation(
  { permission: 'files:read', input: z.object({ path: DataPath }) },
  ({ files }, { accountId }, { path }) => files.open(accountId, path),
)

/** The file by which the stock client knows what it sent last. It holds a hash. */
const marker = '.fal_hash'

/** Whether a folder was uploaded whole from a folder with this hash. */
export const checkFolder = operation(
  { permission: 'files:read', input: z.object({ path: DataPath, hash: z.string() }) },
  async ({ files }, { accountId }, { path, hash }) => {
    const noted = await files.peek(accountId, [...path, marker], 256)
    return noted !== undefined && noted.trim() === hash
  },
)

/** Stores a file, or the content of an archive; `unzip` says which. */
export const putFile = operation(
  { permission: 'files:write', input: z.object({ path: DataPath, unzip: z.boolean().default(false), ...Form }) },
  (deps, { accountId }, { path, unzip: isArchive, ...form }) =>
    formFile(form, async (content) => {
      await using draft = await deps.quotas.within(accountId, deps.fileLimits.bytes, (limit) =>
        deps.files.staging.receive(content, limit),
      )
      if (isArchive) await placeArchive(deps, accountId, path, draft)
      else await deps.files.place(accountId, [{ path, draft: draft.path }])
    }),
  { action: 'upload file', about: ({ path, unzip: isArchive }) => ({ subject: shownPath(path), unzip: isArchive }) },
)

async function placeArchive(
  { files, fileLimits, quotas }: Deps,
  account: string,
  folder: readonly string[],
  { path, length }: Draft,
) {
  quotas.added(account, -length) // what is in it counts
  await using into = await files.staging.folder()
  const found = await quotas.within(account, fileLimits.archiveBytes, async (bytes) => {
    const all = await unzip(path, into.path, { entries: fileLimits.archiveEntries, bytes })
    return { all, length: all.reduce((sum, file) => sum + file.length, 0) }
  })
  const unpacked = found.all.map((file) => ({ ...file, path: [...folder, ...file.path] }))
  // The mark comes last: it says that everything else is there.
  const isMark = (file: { path: readonly string[] }) => file.path.at(-1) === marker
  await files.place(account, [...unpacked.filter((file) => !isMark(file)), ...unpacked.filter(isMark)])
}

/** Stores what is at an address. The server goes only to public ones. */
export const fetchFile = operation(
  { permission: 'files:write', input: z.object({ path: DataPath, url: z.string().max(8_192) }) },
  async ({ files, fileLimits, fetch, quotas }, { accountId }, { path, url }, { signal }) => {
    await fetch(url, { limit: fileLimits.bytes, signal }, async (content) => {
      await using draft = await quotas.within(accountId, fileLimits.bytes, (most) =>
        files.staging.receive(content, most),
      )
      await files.place(accountId, [{ path, draft: draft.path }])
    })
  },
  // The query of an address may be what gives access to it.
  { action: 'fetch file', about: ({ path, url }) => ({ subject: shownPath(path), host: URL.parse(url)?.host ?? '' }) },
)

export const moveFile = operation(
  { permission: 'files:write', input: z.object({ path: DataPath, destination: DataPath }) },
  ({ files }, { accountId }, { path, destination }) => files.move(accountId, path, destination),
  { action: 'move file', about: ({ path, destination }) => ({ subject: shownPath(path), to: shownPath(destination) }) },
)

export const removeFile = operation(
  { permission: 'files:write', input: z.object({ path: DataPath }) },
  async ({ files, quotas }, { accountId }, { path }) => {
    await files.remove(accountId, path)
    quotas.added(accountId, 0) // it is measured soon
  },
  { action: 'delete file', about: ({ path }) => ({ subject: shownPath(path) }) },
)
