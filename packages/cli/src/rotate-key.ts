import { rotateKey } from '@carrick/server/rotate-key'
import { dataFolder } from './connection.ts'
import { print } from './output.ts'

/** `carrick secrets rotate-key`: a new encryption key for all that is kept encrypted. The server must be stopped. */
export async function rotate(flags: { data?: string; json?: boolean }): Promise<void> {
  const folder = dataFolder(flags.data)
  const secrets = await rotateKey(folder)
  const what = secrets === 1 ? '1 secret is' : `${secrets} secrets are`
  print(
    { text: `${what} under a new encryption key, and the old one is gone: back up ${folder}`, json: { secrets } },
    flags,
  )
}
