import { openDataFolder } from './access/data-folder.ts'
import { rotateEncryptionKey } from './access/encryption-key.ts'
import { createLogger } from './kit/logger.ts'
import { openSqliteStore } from './store/sqlite/index.ts'

/**
 * Puts every secret of a data folder under a new encryption key, and answers how many there are. Throws a sentence when
 * a server runs on the folder. Cut short at any point, the next start or rotation finds one key that opens them all.
 */
export async function rotateKey(folder: string): Promise<number> {
  await using closing = new AsyncDisposableStack()
  const opened = await openDataFolder(folder)
  closing.defer(() => opened.close())
  const store = await openSqliteStore({ file: opened.storeFile, log: createLogger('warn') })
  closing.defer(() => store.close())
  return await rotateEncryptionKey(store, opened.encryptionKeyFile)
}
