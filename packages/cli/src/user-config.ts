import { takeFileLock } from '@carrick/server/file-lock'
import { replaceFile } from '@carrick/server/files'
import { mkdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'

const KnownServer = z.object({
  url: z.string(),
  key: z.string(),
  nickname: z.string(),
  /** The CA that signed its certificate, PEM; absent where the machine trusts it anyway. */
  ca: z.string().optional(),
})

const ServersFile = z.object({ servers: z.array(KnownServer), default: z.string().optional() })

/** A server that this user logged in to. */
export type KnownServer = z.infer<typeof KnownServer>
export type Servers = z.infer<typeof ServersFile>

/** Where this user's configuration is: `$XDG_CONFIG_HOME/carrick`, else `~/.config/carrick`. */
export function configFolder(): string {
  return join(resolve(process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config')), 'carrick')
}

const serversFile = () => join(configFolder(), 'servers.json')

/** The servers that this user logged in to, in the order of the logins. */
export async function readServers(): Promise<Servers> {
  const file = serversFile()
  try {
    return ServersFile.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return { servers: [] }
    throw new Error(`${file} cannot be read: repair it, or delete it and log in again`, { cause })
  }
}

/** Changes what is kept, whole, for the user alone. Two commands at once take turns. */
export async function changeServers(change: (servers: Servers) => Servers): Promise<void> {
  const folder = configFolder()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  using _lock = await takeFileLock(join(folder, 'lock.sqlite'), {
    onWait: () => {},
    signal: AbortSignal.timeout(10_000),
  })
  await replaceFile(serversFile(), `${JSON.stringify(change(await readServers()), null, 2)}\n`)
}
