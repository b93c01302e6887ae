import { readServerFile } from '@carrick/server/data-folder'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'

const CredentialsFile = z.object({ key_id: z.string(), key_secret: z.string(), nickname: z.string() })

/** A server on this machine, as its data folder describes it. */
export interface Connection {
  readonly folder: string
  readonly url: string
  /** Host and port as the tools want them: `localhost:8700`. */
  readonly address: string
  readonly version: string
  readonly pid: number
  readonly key: string
  readonly nickname: string
  readonly caFile: string
}

/** The data folder: the flag, else CARRICK_DATA, else `~/.carrick`. */
export function dataFolder(flag: string | undefined): string {
  return resolve(flag ?? process.env['CARRICK_DATA'] ?? join(homedir(), '.carrick'))
}

/** Finds the server that runs on a data folder. Throws a sentence that says how to start one. */
export async function connect(flag: string | undefined): Promise<Connection> {
  const folder = dataFolder(flag)
  const server = await readServerFile(folder)
  if (server === undefined)
    throw new Error(`no Carrick runs on ${folder}: start one with \`npx carrick up --data ${folder}\``)
  const credentials = CredentialsFile.parse(JSON.parse(await readFile(join(folder, 'credentials.json'), 'utf8')))
  const { hostname, port } = new URL(server.url)
  return {
    folder,
    url: server.url,
    address: `${hostname}:${port === '' ? '443' : port}`,
    version: server.version,
    pid: server.pid,
    key: `${credentials.key_id}:${credentials.key_secret}`,
    nickname: credentials.nickname,
    caFile: join(folder, 'tls', 'ca.pem'),
  }
}
