import { z } from 'zod'
import type { StoredObject } from '../../../domain/object.ts'
import { incoming } from '../body.ts'
import { lifecycleIn } from '../../storage/lifecycle.ts'
import {
  completeUpload,
  issueUploadToken,
  ownUpload,
  partsReceived,
  receivePart,
  receiveWhole,
  startUpload,
  uploadAtOnce,
  uploadOf,
  type Upload,
} from '../../storage/uploads.ts'
import type { Deps } from '../../deps.ts'
import { fileUrl, iso, route, type Request, type Route } from './route.ts'

const Initiated = z.object({ file_name: z.string().nullish(), content_type: z.string().nullish() })
const SentPart = z
  .object({
    partNumber: z.coerce.number().int().optional(),
    part_number: z.coerce.number().int().optional(),
    etag: z.string(),
  })
  .transform(({ partNumber, part_number: other, etag }) => ({ number: partNumber ?? other ?? 0, etag }))
const Completion = z.object({ parts: z.array(SentPart).max(10_000) })
/** As many parts as there may be, and clients that like spaces. */
const longestList = 2 * 1024 * 1024

const initiated = async ({ header, json }: Request) => {
  const { file_name: fileName, content_type: contentType } = await json(Initiated)
  return { fileName, contentType, lifecycle: lifecycleIn(header) }
}

/** The address to upload to holds all that it takes: it is used without a key. */
const uploadUrls = ({ object, ticket }: Upload, request: Request) => ({
  file_url: fileUrl(request, object),
  upload_url: `${request.baseUrl}/storage/uploads/${ticket}`,
})

/** Some clients send a name as UTF-8, which a header is not read as. */
function headerText(sent: string | undefined): string | undefined {
  if (sent === undefined) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(sent, 'latin1'))
  } catch {
    return sent
  }
}

/** What an upload without an `initiate` says in its headers. */
const described = ({ header }: Request) => ({
  fileName: headerText(header('x-fal-file-name')),
  contentType: header('content-type'),
  lifecycle: lifecycleIn(header),
})

/** Some clients read the etag from the header, others from the body. */
const tagged = (etag: string, body: object) => Response.json({ ...body, etag }, { headers: { etag: `"${etag}"` } })

async function takePart(deps: Deps, object: StoredObject, request: Request): Promise<Response> {
  const number = Number(request.params['number'])
  return tagged(await receivePart(deps, object, number, incoming(request)), { partNumber: number })
}

async function complete(deps: Deps, object: StoredObject, request: Request): Promise<object> {
  const { parts } = await request.json(Completion, longestList)
  const whole = await completeUpload(deps, object.id, parts)
  return { url: fileUrl(request, whole), etag: whole.whole?.etag, size: whole.whole?.length }
}

/** What is there of an upload, for a client that was interrupted: it sends what is missing, and then completes. */
async function progress(deps: Deps, object: StoredObject, request: Request): Promise<object> {
  const { whole, dropAt } = object
  const parts = await partsReceived(deps, object)
  return {
    file_url: fileUrl(request, object),
    complete: whole !== undefined,
    size: parts.reduce((sum, { length }) => sum + length, 0),
    parts: parts.map(({ number, etag, length }) => ({ partNumber: number, etag, size: length })),
    ...(whole === undefined && dropAt !== undefined && { expires_at: iso(dropAt) }),
  }
}

/** An address that holds a ticket, by which it is known whose upload it is. */
function byTicket(
  method: Route['method'],
  path: string,
  use: (deps: Deps, object: StoredObject, request: Request) => Promise<object>,
): Route {
  return {
    method,
    path: `/storage/uploads/:ticket${path}`,
    permission: 'anyone',
    audited: false,
    call: async (deps, _caller, request) => use(deps, await uploadOf(deps, request.params['ticket'] ?? ''), request),
  }
}

/** An upload to a file's own address, by the key or token of its account. The same id names the upload and the file. */
function byOwner(
  method: Route['method'],
  path: string,
  use: (deps: Deps, object: StoredObject, request: Request) => Promise<object>,
): Route {
  const find = ownUpload
  return {
    method,
    path: `/storage/files/:id/:name/multipart/:upload${path}`,
    permission: find.permission,
    audited: false,
    call: async (deps, caller, request, attention) => {
      const { id = '', upload = '' } = request.params
      const object = await find(deps, caller, { id: id === upload ? id : '' }, attention)
      return use(deps, object, request)
    },
  }
}

const uploads: readonly Route[] = [
  route('POST', '/storage/auth/token', issueUploadToken, {
    read: () => ({}),
    show: ({ token, expiresAt }, { baseUrl }) => ({
      token,
      token_type: 'Bearer',
      base_url: baseUrl,
      // An offset in numbers: older Pythons do not read `Z`.
      expires_at: iso(expiresAt).replace('Z', '+00:00'),
    }),
  }),
  route('POST', '/storage/upload/initiate', startUpload, { read: initiated, show: uploadUrls }),
  route('POST', '/storage/upload/initiate-multipart', startUpload, { read: initiated, show: uploadUrls }),

  byTicket('PUT', '', async (deps, object, request) => {
    return tagged(await receiveWhole(deps, object, incoming(request)), { file_url: fileUrl(request, object) })
  }),
  byTicket('GET', '', progress),
  byTicket('POST', '/complete', complete),
  byTicket('PUT', '/:number', takePart),
  // The form of `storage_type=gcs`, which asks where a part goes. It goes to the same address.
  byTicket('POST', '/:number', async (_deps, _object, { baseUrl, path }) => ({ upload_url: baseUrl + path })),

  route('POST', '/files/upload', uploadAtOnce, {
    read: (request) => ({ ...described(request), body: incoming(request) }),
    show: (object, request) => ({ access_url: fileUrl(request, object) }),
  }),
  route('POST', '/files/upload/multipart', startUpload, {
    read: described,
    show: ({ object }, request) => ({ access_url: fileUrl(request, object), uploadId: object.id }),
  }),
  byOwner('GET', '', progress),
  byOwner('POST', '/complete', complete),
  byOwner('PUT', '/:number', takePart),
]

/** Uploads as the SDK's toolkit and both clients make them. */
export const uploadRoutes: readonly Route[] = uploads.map((each) => ({ ...each, forBrowsers: true }))
