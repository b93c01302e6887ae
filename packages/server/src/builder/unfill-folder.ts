import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SecretValues } from '../domain/secret.ts'
import { unfilling } from './filling.ts'

/** Puts `${NAME}` back where the installer wrote down, beside what it installed, an address with a secret in it. */
export async function unfillFolder(folder: string, secrets: SecretValues): Promise<void> {
  const unfill = unfilling(secrets)
  for (const file of await notesIn(folder)) {
    const text = await readFile(file, 'utf8')
    const kept = unfill(text)
    if (kept !== text) await writeFile(file, kept)
  }
}

/** What packages say about themselves and where they came from. Their own files are not ours to change. */
async function notesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.parentPath.endsWith('.dist-info') && entry.name.endsWith('.json'))
    .map(({ parentPath, name }) => join(parentPath, name))
}
