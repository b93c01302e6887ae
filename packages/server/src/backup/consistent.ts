import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import { markOf } from '../access/encryption-key.ts'
import { silent } from '../kit/logger.ts'
import { begunInstallation } from '../store/accounts.ts'
import { knownMigrations } from '../store/migrations.ts'
import { encryptionKeyMark } from '../store/secrets.ts'
import { openSqliteStore } from '../store/sqlite/index.ts'
import { copyDatabase } from '../store/sqlite/whole.ts'
import type { Store } from '../store/store.ts'
import type { HeldFiles } from './held-files.ts'
import { namedFiles } from './named-files.ts'

/** The store as it was at one moment, its key, and the files that it names, all held. */
export interface Held {
  readonly installation: string
  readonly owner: string
  readonly schema: number
  readonly bytes: number
  /** What the store names and the disk does not have. */
  readonly missing: readonly string[]
}

const storeName = 'carrick.sqlite'
const keyName = 'encryption.key'
const mostTries = 5
const betweenTriesMs = 200

/**
 * Holds what belongs together. Between a look at the store and the look at a file the server may have deleted both: then it
 * looks again, and what was held meanwhile stays. A file that is still missing after that is lost, and is told of.
 */
export async function holdConsistent(folder: string, held: HeldFiles, filesAreHere: boolean): Promise<Held> {
  for (let tries = 1; ; tries += 1) {
    await copyDatabase(join(folder, storeName), held.pathOf(storeName))
    await copyFile(join(folder, keyName), held.pathOf(keyName))
    for (const name of [storeName, keyName]) held.keep(name)
    await using store = await openSqliteStore({ file: held.pathOf(storeName), log: silent }).then(closing)
    const begun = await store.read(begunInstallation())
    if (begun === undefined)
      throw new Error(`the data folder ${folder} holds no installation yet: there is nothing to back up`)
    const isRightKey = (await store.read(encryptionKeyMark())) === markOf(await readFile(held.pathOf(keyName)))
    const { missing, bytes } = filesAreHere ? await holdNamed(store, held) : { missing: [], bytes: 0 }
    if (isRightKey && (missing.length === 0 || tries === mostTries)) {
      const schema = Math.max(0, ...knownMigrations().map(({ number }) => number))
      return { installation: begun.id, owner: begun.account.nickname, schema, bytes, missing }
    }
    if (tries === mostTries)
      throw new Error(
        `${join(folder, keyName)} is not the key of this installation: put back the copy from your last backup`,
      )
    await rest(betweenTriesMs)
  }
}

async function holdNamed(store: Store, held: HeldFiles): Promise<{ missing: string[]; bytes: number }> {
  const missing: string[] = []
  let bytes = 0
  for await (const names of namedFiles(store)) {
    for (const name of names) {
      const size = await held.hold(name)
      if (size === undefined) missing.push(name)
      else bytes += size
    }
  }
  return { missing, bytes }
}

function closing(store: Store): Store & AsyncDisposable {
  return {
    commit: (change) => store.commit(change),
    read: (query) => store.read(query),
    onChange: (topic, listener) => store.onChange(topic, listener),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
