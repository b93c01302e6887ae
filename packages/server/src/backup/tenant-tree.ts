import { constants, type Stats } from 'node:fs'
import { lstat, open, opendir, readlink, type FileHandle } from 'node:fs/promises'
import { inFolder } from '../files/beneath.ts'

/** Something that runners keep. A file is open while it is shown, and closed after. */
export type Kept =
  | { readonly kind: 'file'; readonly name: string; readonly facts: Stats; readonly file: FileHandle }
  | { readonly kind: 'folder'; readonly name: string; readonly facts: Stats }
  | { readonly kind: 'link'; readonly name: string; readonly facts: Stats; readonly target: string }
  /** What no archive can hold, or nobody can read. */
  | { readonly kind: 'left out'; readonly name: string; readonly why: string }

const asFolder = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
// A pipe would be waited for without end.
const asFile = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** Each level holds a file open. */
const deepest = 1_000

/**
 * All that is below a folder which its runners may change meanwhile: what comes and goes is there or not. Each step is
 * taken from the open folder before it and follows no link, so that nothing leads out of it. `name` is what it is called outside.
 */
export async function* treeOf(path: string, name: string): AsyncGenerator<Kept> {
  await using root = await open(path, asFolder)
  yield* below(root, name, 1)
}

async function* below(folder: FileHandle, name: string, depth: number): AsyncGenerator<Kept> {
  yield { kind: 'folder', name, facts: await folder.stat() }
  for await (const entry of await opendir(`/proc/self/fd/${folder.fd}`)) {
    const own = `${name}/${entry.name}`
    const path = inFolder(folder, entry.name)
    try {
      if (entry.isDirectory()) {
        if (depth === deepest) yield { kind: 'left out', name: own, why: `it is deeper than ${deepest} folders` }
        else {
          await using child = await open(path, asFolder)
          yield* below(child, own, depth + 1)
        }
      } else yield* single(path, own)
    } catch (error) {
      const why = entry.name.includes('\uFFFD') ? 'its name is not UTF-8' : leftOut(error)
      if (why !== undefined) yield { kind: 'left out', name: own, why }
    }
  }
}

async function* single(path: string, name: string): AsyncGenerator<Kept> {
  const seen = await lstat(path)
  if (seen.isSymbolicLink()) yield { kind: 'link', name, facts: seen, target: await readlink(path) }
  else if (!seen.isFile()) yield { kind: 'left out', name, why: 'it is a pipe, a socket or a device' }
  else {
    await using file = await open(path, asFile)
    const facts = await file.stat()
    if (facts.isFile()) yield { kind: 'file', name, facts, file }
  }
}

/** Undefined for what went meanwhile, or became something else. */
function leftOut(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error && 'syscall' in error ? error.code : undefined
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined
  if (code === 'EACCES' || code === 'EPERM') return 'it cannot be read'
  throw error
}
