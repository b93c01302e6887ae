import { FileAcl, FileSigning, SignedFile } from '@carrick/protocol/platform'
import { z } from 'zod'
import { SentAcl } from '../../storage/lifecycle.ts'
import { objectResponse } from '../object-response.ts'
import { changeAcl, objectFor, readAcl, signObject, type Signed } from '../../storage/objects.ts'
import { described } from './described.ts'
import { fileUrl, iso, route, type Request, type Route } from './route.ts'

/** Reading takes no key: who has the address may, unless the owner said otherwise; then a signature does. */
const readObject: Route = {
  method: 'GET',
  path: '/storage/files/:id/:name',
  permission: 'anyone',
  audited: false,
  call: async (deps, caller, { params, query, header, method }, { signal }) => {
    const wanted = { id: params['id'] ?? '', name: params['name'] ?? '', signature: query['identity'] }
    const found = await objectFor(deps, caller, wanted)
    return objectResponse(found, deps.objects, { header, isHead: method === 'HEAD', signal, now: deps.clock.now() })
  },
}

const OfFile = z.object({ url: z.string().describe('The whole address of the file') })

const signed = (object: Signed, request: Request) => ({
  signed_url: `${fileUrl(request, object)}?identity=${object.signature}`,
  expires_at: iso(object.until),
})

/** The older form, at the file's own address. */
const Signing = z.object({
  duration: z.coerce.number('duration must be a number of seconds').int().min(1),
  scope: z.literal('read', 'what can be signed is "read"').nullish(),
})

/** What was uploaded, and who may read it. */
const objects: readonly Route[] = [
  readObject,

  route('GET', '/storage/files/acl', readAcl, {
    read: ({ query }) => ({ url: query['url'] ?? '' }),
    show: (acl) => acl,
  }),

  route('PUT', '/storage/files/acl', changeAcl, {
    read: async ({ query, json }) => ({ url: query['url'] ?? '', acl: await json(SentAcl) }),
    show: (acl) => acl,
  }),

  route('POST', '/storage/files/:id/:name/sign', signObject, {
    read: async (request) => {
      const { id = '', name = '' } = request.params
      const { duration: seconds } = await request.json(Signing)
      return { url: fileUrl(request, { id, name }), seconds }
    },
    show: (object, request) => ({ ...signed(object, request), token: object.signature }),
  }),
]

/** The same in the platform's API. */
const platform: readonly Route[] = [
  described('GET', '/v1/storage/files/acl', readAcl, {
    summary: 'Who may read an uploaded file',
    query: OfFile,
    answer: FileAcl,
    read: ({ query }) => query,
    show: ({ default: otherwise, rules }) => ({ default: otherwise, rules: [...rules] }),
  }),

  described('PUT', '/v1/storage/files/acl', changeAcl, {
    summary: 'Says anew who may read an uploaded file',
    query: OfFile,
    body: SentAcl,
    answer: FileAcl,
    read: ({ query: { url }, body }) => ({ url, acl: body }),
    show: ({ default: otherwise, rules }) => ({ default: otherwise, rules: [...rules] }),
  }),

  {
    ...route('POST', '/v1/storage/files/sign', signObject, {
      read: async ({ query, json }) => ({
        url: query['url'] ?? '',
        seconds: (await json(FileSigning)).expiration_seconds,
      }),
      show: (object, request) => signed(object, request),
    }),
    description: {
      summary: 'An address at which everybody may read an uploaded file for a while',
      status: 200,
      media: 'application/json',
      query: OfFile,
      body: FileSigning,
      answer: SignedFile,
    },
  },
]

export const objectRoutes: readonly Route[] = [...objects.map((each) => ({ ...each, forBrowsers: true })), ...platform]
