import { randomUUID } from 'node:crypto'
import { mkdir, open, opendir, rename, rmdir, unlink } from 'node:fs/promises'
import { constants } from 'node:fs'
import { join } from 'node:path'
import { inFolder } from './beneath.ts'

const asFolder = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Deletes a folder of ours and all below it. What lies below may be of any depth and may still be changed by somebody who
 * is in it: each folder is moved up before it is looked into, so that no way is walked and no link is followed.
 */
export async function clearFolder(path: string): Promise<void> {
  const flat = `${path}.${randomUUID()}`
  await mkdir(flat, { mode: 0o700 })
  let waiting = [await movedTo(flat, path)]
  while (waiting.length > 0) {
    const found: string[] = []
    for (const folder of waiting) found.push(...(await emptied(folder, flat)))
    waiting = found
  }
  await rmdir(flat)
}

/** Deletes the files in it and the folder itself; answers where the folders in it are now. */
async function emptied(path: string, flat: string): Promise<string[]> {
  const below: string[] = []
  await using folder = await open(path, asFolder)
  for await (const { name } of await opendir(`/proc/self/fd/${folder.fd}`)) {
    await unlink(inFolder(folder, name)).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === 'EISDIR' || error.code === 'EPERM') below.push(await movedTo(flat, inFolder(folder, name)))
      else if (error.code !== 'ENOENT') throw error
    })
  }
  await rmdir(path)
  return below
}

async function movedTo(flat: string, path: string): Promise<string> {
  await using folder = await open(path, asFolder)
  await folder.chmod(0o700) // else its owner may neither move it nor empty it
  const moved = join(flat, randomUUID())
  await rename(path, moved)
  return moved
}
