import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, stat, type FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { RunnerSpec } from '../../backend.ts'
import type { RunnerUser } from './user.ts'

/**
 * Lets a runner read and write what it is given although it is not the server's user. Nobody else of the machine gets to
 * it: the folders above are the server's alone.
 */
export async function giveAccess(
  { sees = [], leaves = [], mounts }: Pick<RunnerSpec, 'sees' | 'leaves' | 'mounts'>,
  { owner }: RunnerUser,
  pinned: ReadonlyMap<string, FileHandle>,
): Promise<void> {
  await Promise.all(leaves.map((path) => mkdir(path, { recursive: true })))
  if (owner === undefined) return
  const writable = mounts.filter(({ readOnly }) => !readOnly)
  // By its path no folder is given away whose way somebody may change meanwhile: the one above it is, with all that is in it.
  const written = new Set([...leaves, ...writable.map(({ from, within = from }) => within)])
  await Promise.all([...sees.map(letRead), ...Array.from(written, (path) => giveTo(path, owner))])
  const held = writable.flatMap(({ to }) => pinned.get(to) ?? [])
  await Promise.all(held.map((folder) => belongTo(folder, owner)))
}

type Owner = NonNullable<RunnerUser['owner']>

/** An image's own user writes there as one of the group, and all that comes there is the group's. */
const ofTheGroup = 0o2775

async function belongTo(folder: FileHandle, { uid, gid }: Owner): Promise<void> {
  const seen = await folder.stat()
  if (seen.uid === uid && seen.gid === gid) return
  await folder.chown(uid, gid)
  await folder.chmod(ofTheGroup)
}

const othersRead = 0o004

async function letRead(path: string): Promise<void> {
  const seen = await stat(path)
  if (seen.isFile() && (seen.mode & othersRead) === 0) await chmod(path, (seen.mode & 0o777) | 0o444)
}

/** With all that is in it, the first time: what the server puts there later belongs to whom the folder belongs to. */
async function giveTo(path: string, { uid, gid }: Owner): Promise<void> {
  const seen = await stat(path)
  if (seen.uid === uid && seen.gid === gid) return
  await promisify(execFile)('chown', ['-R', '--no-dereference', '--from=0', `${uid}:${gid}`, '--', path])
  await chown(path, uid, gid)
  await chmod(path, ofTheGroup)
}

const allWrite = 0o002

/**
 * Those of the folders that are there. Runners may write to them: where the server is root and a folder its own, that has to be
 * said in the folder's mode, for no runner is root.
 */
export async function openToAll(
  folders: readonly string[],
  server: { readonly uid: number },
): Promise<readonly string[]> {
  const seen = await Promise.all(folders.map((path) => stat(path).catch(() => undefined)))
  const there = folders.flatMap((path, place) => {
    const found = seen[place]
    return found?.isDirectory() === true ? [{ path, uid: found.uid, mode: found.mode }] : []
  })
  const closed = there.filter(({ uid, mode }) => server.uid === 0 && uid === 0 && (mode & allWrite) === 0)
  await Promise.all(closed.map(({ path, mode }) => chmod(path, (mode & 0o7777) | 0o777)))
  return there.map(({ path }) => path)
}
