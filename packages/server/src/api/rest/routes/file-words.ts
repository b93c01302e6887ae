import type { DataUsage } from '../../../files/data-quotas.ts'
import { Readable } from 'node:stream'
import type { FileItem } from '@carrick/protocol/rest'
import { CarrickError } from '../../../domain/errors.ts'
import type { Entry } from '../../../files/account-files.ts'
import { iso, type Request } from './route.ts'

/** A file of many parts has a long list of them. */
export const mostPartsBytes = 16 * 1024 * 1024

/** The names behind a prefix, decoded. An absolute path begins with an empty name: its slash is doubled. */
export function pathAfter(prefix: string, path: string): readonly string[] {
  try {
    return path
      .slice(prefix.length + 1)
      .split('/')
      .map((name) => decodeURIComponent(name))
  } catch (cause) {
    throw new CarrickError('bad_request', 'The path in the address is not percent-encoded UTF-8', { cause })
  }
}

/** What reads a form with a file in it. */
export function form({ body, header }: Request) {
  return { body, contentType: header('content-type') }
}

export function fileItem({ path, name, isFile, size, createdAt, updatedAt }: Entry & { path: string }): FileItem {
  return { path, name, size, is_file: isFile, created_time: iso(createdAt), updated_time: iso(updatedAt) }
}

/** A file as it comes from the disk. No browser takes it for a page of ours. */
export function fileAnswer({ content, size }: { content: Readable; size: number }): Response {
  return new Response(Readable.toWeb(content) as ReadableStream<Uint8Array>, {
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(size),
      'content-disposition': 'attachment',
      'x-content-type-options': 'nosniff',
    },
  })
}

/** How much an account keeps in `/data`, and may. */
export const shownUsage = ({ used, limit }: DataUsage) => ({ used_bytes: used ?? null, limit_bytes: limit ?? null })
