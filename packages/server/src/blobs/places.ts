import { randomBytes } from 'node:crypto'
import type { BlobKey } from '../domain/ids.ts'

/**
 * Where things stand below their folder, on a disk and in a bucket alike, so that `aws s3 sync` moves them: `ab/abcdef…`.
 * What is no name throws, so that none leads elsewhere.
 */
export function blobPath(key: BlobKey): string {
  if (!isBlobKey(key)) throw new Error(`"${key}" is not the key of a blob`)
  return `${key.slice(0, 2)}/${key}`
}

export function objectPath(file: string): string {
  if (!isObjectFile(file)) throw new Error(`"${file}" is not the name of a stored file`)
  return `${file.slice(0, 2)}/${file}`
}

/** A SHA-256. */
export const isBlobKey = (name: string): boolean => /^[0-9a-f]{64}$/.test(name)

/** A name of chance. */
export const isObjectFile = (name: string): boolean => /^[0-9a-f]{40}$/.test(name)
export const newObjectFile = (): string => randomBytes(20).toString('hex')
