import { FileHashes, StoredParts } from '@carrick/protocol/rest'
import { appFilePart, beginAppFile, cancelAppFile, completeAppFile, missingHashes } from '../../deploys/app-files.ts'
import { form, mostPartsBytes } from './file-words.ts'
import { route } from './route.ts'

const uploads = '/files/app/multipart/:hash'
const mostHashesBytes = 4 * 1024 * 1024

const hashIn = ({ params }: { readonly params: Readonly<Record<string, string>> }) => ({
  hash: params['hash'] ?? '',
  upload: params['upload'] ?? '',
})

/** The files that a deploy brings along, by what they hold (control-protocol §4.6). */
export const appFileRoutes = [
  route('POST', '/files/missing_hashes', missingHashes, {
    read: ({ json }) => json(FileHashes, mostHashesBytes),
    show: (missing) => missing,
  }),
  route('POST', `${uploads}/initiate`, beginAppFile, {
    read: hashIn,
    show: (upload) => ({ upload_id: upload }),
  }),
  route('PUT', `${uploads}/:upload/:part`, appFilePart, {
    read: (request) => ({ ...hashIn(request), number: request.params['part'], ...form(request) }),
    show: ({ number, etag }) => ({ part_number: number, etag }),
  }),
  route('POST', `${uploads}/:upload/complete`, completeAppFile, {
    read: async (request) => ({ ...hashIn(request), ...(await request.json(StoredParts, mostPartsBytes)) }),
    show: (etag) => ({ etag }),
  }),
  route('POST', `${uploads}/:upload/cancel`, cancelAppFile, { read: hashIn, show: () => ({}) }),
]
