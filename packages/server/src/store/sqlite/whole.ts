import { rm } from 'node:fs/promises'
import { backup, DatabaseSync } from 'node:sqlite'

/**
 * Copies a SQLite file as it is at one moment, whoever writes to it meanwhile: all pages within one read transaction, in a
 * thread of its own. The copy is not synced.
 */
export async function copyDatabase(from: string, to: string): Promise<void> {
  for (const ending of ['', '-wal', '-shm']) await rm(`${to}${ending}`, { force: true })
  const source = new DatabaseSync(from, { readOnly: true, timeout: 10_000 })
  try {
    // In steps, every commit of another process would begin it anew.
    await backup(source, to, { rate: 2 ** 31 - 1 })
  } finally {
    source.close()
  }
}

/** What is wrong with a SQLite file; undefined when nothing is. */
export function damageOf(file: string): string | undefined {
  try {
    using database = new DatabaseSync(file, { readOnly: true })
    const said = Object.values(database.prepare('pragma quick_check(1)').get() ?? {})[0]
    return said === 'ok' ? undefined : String(said)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
