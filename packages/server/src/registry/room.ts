import { statfs } from 'node:fs/promises'
import { CarrickError } from '../domain/errors.ts'

/** Throws `disk_full` when the disk has fewer bytes free than are to be left. */
export async function requireRoom(folder: string, keepFree: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= keepFree) return
  throw new CarrickError('disk_full', 'the disk of the server is full (CARRICK_KEEP_FREE): delete something first')
}
