/**
 * Data folders that begin with one account, the same in a whole run. What the engine installed for an account it has for all
 * servers of the run then, as after a restart: an account shares its layers with no other.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Names the folder that was prepared, to all processes of a run. */
export const preparedVariable = 'CARRICK_TEST_PREPARED'

const store = 'carrick.sqlite'
/** An account, its key, and what the store is read with. */
const parts = [store, 'credentials.json', 'encryption.key']

/** Makes a new data folder one that has the run's account. Without a prepared one, or with a store in it, it stays as it is. */
export async function beginAsPrepared(folder: string): Promise<void> {
  const prepared = process.env[preparedVariable]
  if (prepared === undefined || existsSync(join(folder, store))) return
  for (const part of parts) await copyFile(join(prepared, part), join(folder, part))
  using database = new DatabaseSync(join(folder, store))
  // Servers side by side on one engine are told apart by this.
  database.prepare("update installation set value = ? where name = 'id'").run(randomUUID())
}
