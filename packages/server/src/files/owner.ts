import { lchown } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'

/**
 * Gives what the server made to whom the folder belongs that it is for: runners in containers are other users than a server
 * that is root, and what is in `/data` is theirs to change. Follows no link.
 */
export async function giveToOwnerOf(folder: FileHandle, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return // all is its own, and its runners are its user
  const { uid, gid } = await folder.stat()
  if (uid !== 0 || gid !== 0) await lchown(path, uid, gid)
}
