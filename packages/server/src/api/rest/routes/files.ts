import { DataUsage, FileItem, FileParts, FolderHash, FromUrl, NewPath } from '@carrick/protocol/rest'
import { z } from 'zod'
import {
  checkFolder,
  dataUsage,
  fetchFile,
  listFiles,
  moveFile,
  putFile,
  readFile,
  removeFile,
} from '../../files/files.ts'
import { beginUpload, cancelUpload, completeUpload, uploadPart } from '../../files/file-uploads.ts'
import { authorize } from '../../../access/authorize.ts'
import { CarrickError } from '../../../domain/errors.ts'
import { fileAnswer, fileItem, form, mostPartsBytes, pathAfter, shownUsage } from './file-words.ts'
import { described } from './described.ts'
import { route, type Route } from './route.ts'

const multipart = '/files/file/multipart'

const begun = route('POST', `${multipart}/*`, beginUpload, {
  read: ({ path }) => ({ path: pathAfter(multipart, path).slice(0, -1).join('/') }),
  show: (upload) => ({ upload_id: upload }),
})

const completed = route('POST', `${multipart}/*`, completeUpload, {
  read: async ({ path, json }) => {
    const names = pathAfter(multipart, path)
    const { parts } = await json(FileParts, mostPartsBytes)
    return { path: names.slice(0, -2).join('/'), upload: names.at(-2) ?? '', parts }
  },
  show: (etag) => ({ etag }),
})

const cancelled = route('POST', `${multipart}/*`, cancelUpload, {
  read: ({ path }) => {
    const names = pathAfter(multipart, path)
    return { path: names.slice(0, -2).join('/'), upload: names.at(-2) ?? '' }
  },
  show: () => ({}),
})

/** The path of the file stands in the middle, slashes and all, so the end of the address says what is asked. */
const multipartSteps: Route = {
  ...completed, // the step that changes something, and is recorded
  call: async (deps, caller, request, attention) => {
    authorize(caller, completed.permission)
    const last = request.path.split('/').at(-1)
    const step = { initiate: begun, complete: completed, cancel: cancelled }[last ?? '']
    if (step === undefined) throw new CarrickError('route_not_found', `POST ${request.path} not found`)
    return step.call(deps, caller, request, attention)
  },
}

/** The operations at addresses below a prefix, as two APIs have them. */
function plainRoutes(prefix: string): readonly Route[] {
  const at = (what: string) => `${prefix}/${what}`
  const below = (what: string, path: string) => ({ path: pathAfter(at(what), path).join('/') })
  const list = route('GET', at('list/*'), listFiles, {
    read: ({ path }) => below('list', path),
    show: (entries) => entries.map(fileItem),
  })
  const content = route('GET', at('file/*'), readFile, { read: ({ path }) => below('file', path), show: fileAnswer })
  const put = route('POST', at('file/local/*'), putFile, {
    read: (request) => ({
      ...below('file/local', request.path),
      unzip: request.query['unzip']?.toLowerCase() === 'true',
      ...form(request),
    }),
    show: done,
  })
  const fetched = route('POST', at('file/url/*'), fetchFile, {
    read: async ({ path, json }) => ({ ...below('file/url', path), ...(await json(FromUrl)) }),
    show: done,
  })
  return [
    { ...list, description: { summary: 'What a folder of /data holds', ...inJson, answer: z.array(FileItem) } },
    { ...content, description: { summary: 'A file of /data', status: 200, media: 'application/octet-stream' } },
    { ...put, description: { summary: 'Puts a file into /data', ...inJson, query: Unzip, form: true, answer: Done } },
    { ...fetched, description: { summary: 'Fetches a file into /data', ...inJson, body: FromUrl, answer: Done } },
  ]
}

const inJson = { status: 200, media: 'application/json' } as const
const Done = z.literal(true)
const Unzip = z.object({
  unzip: z.string().optional().describe('`true`: the file is an archive, and its content is put'),
})

/** `fal files`, and directories that the SDK keeps in step (control-protocol §2.8). All answers are exactly 200. */
export const fileRoutes: readonly Route[] = [
  multipartSteps,
  route('PUT', `${multipart}/*`, uploadPart, {
    read: (request) => {
      const names = pathAfter(multipart, request.path)
      const [upload = '', number = ''] = names.slice(-2)
      return { path: names.slice(0, -2).join('/'), upload, number, ...form(request) }
    },
    show: ({ number, etag }) => ({ part_number: number, etag }),
  }),
  ...plainRoutes('/files'),
  route('DELETE', '/files/file/*', removeFile, {
    read: ({ path }) => ({ path: pathAfter('/files/file', path).join('/') }),
    show: done,
  }),
  route('POST', '/files/rename/*', moveFile, {
    read: async ({ path, json }) => ({ path: pathAfter('/files/rename', path).join('/'), ...(await json(NewPath)) }),
    show: done,
  }),
  route('POST', '/files/dir/check_hash/*', checkFolder, {
    read: async ({ path, json }) => ({
      path: pathAfter('/files/dir/check_hash', path).join('/'),
      ...(await json(FolderHash)),
    }),
    show: (same) => Response.json(same),
  }),
  ...plainRoutes('/v1/serverless/files'),
  described('GET', '/v1/serverless/files/usage', dataUsage, {
    summary: 'How much the account keeps in /data, and may',
    answer: DataUsage,
    read: () => ({}),
    show: shownUsage,
  }),
]

function done(): Response {
  return Response.json(true)
}
