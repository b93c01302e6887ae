/**
 * What servers with containers share in a run of all end-to-end tests: one registry, which is a Carrick server as well, and one
 * account. Otherwise each server would be its own registry, to which the engine packs and sends the base image anew; and
 * each would have an account of its own, whose layers are nobody else's. So it is as after a restart.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Tells all processes of a run where it is. */
export const oneForAll = 'CARRICK_TEST_ONE_FOR_ALL'

interface OneForAll {
  /** Holds what new data folders begin with. */
  readonly folder: string
  /** Which registry servers push to. */
  readonly settings: Readonly<Record<string, string>>
}

/** Absent where each server is by itself: those of the project `docker` are. */
function found(): OneForAll | undefined {
  const told = process.env['CARRICK_TEST_ALONE'] === 'true' ? undefined : process.env[oneForAll]
  return told === undefined ? undefined : (JSON.parse(told) as OneForAll)
}

export const sharedSettings = (): Readonly<Record<string, string>> => found()?.settings ?? {}

const store = 'carrick.sqlite'
/** An account, its key, and what the store is read with. */
const parts = [store, 'credentials.json', 'encryption.key']

/** Keeps what a server's data folder began with, for others to begin with. */
export async function keepAsPrepared(server: { readonly folder: string }, folder: string): Promise<void> {
  for (const part of parts.slice(1)) await copyFile(join(server.folder, part), join(folder, part))
  using database = new DatabaseSync(join(server.folder, store), { readOnly: true })
  database.prepare('vacuum into ?').run(join(folder, store))
}

/** Lets a new data folder begin with the account of the run. One with a store in it stays as it is. */
export async function beginAsPrepared(folder: string): Promise<void> {
  const prepared = found()?.folder
  if (prepared === undefined || existsSync(join(folder, store))) return
  for (const part of parts) await copyFile(join(prepared, part), join(folder, part))
  using database = new DatabaseSync(join(folder, store))
  // Servers side by side on one engine are told apart by this.
  database.prepare("update installation set value = ? where name = 'id'").run(randomUUID())
}
