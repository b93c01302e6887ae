import { readServerFile } from '@carrick/server/data-folder'
import { mkdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { configFolder, readServers, type KnownServer } from './user-config.ts'
import { chosenServer, type Where } from './where.ts'

const CredentialsFile = z.object({ key_id: z.string(), key_secret: z.string(), nickname: z.string() })

/** A server, on this machine or another, and what it takes to use it. */
export interface Connection {
  readonly url: string
  /** Host and port as the tools want them: `localhost:8700`. */
  readonly address: string
  readonly key: string
  readonly nickname: string
  /** The CA that signed its certificate, PEM; undefined where this machine trusts it anyway. */
  readonly ca: string | undefined
  /** Where the roots for its tools are written. */
  readonly bundleFile: string
}

/** The data folder: the flag, else CARRICK_DATA, else `~/.carrick`. */
export function dataFolder(flag: string | undefined): string {
  return resolve(flag ?? (process.env['CARRICK_DATA'] || join(homedir(), '.carrick')))
}

/** Finds the server on a data folder, or without one the server that is meant when nothing is said. */
export function connect(folder: string | undefined): Promise<Connection> {
  return connectTo(folder === undefined ? {} : { data: folder })
}

/** Finds the server that is meant. Throws a sentence that says how to start one, or how to log in. */
export async function connectTo(where: Where): Promise<Connection> {
  if (where.url === undefined && where.data !== undefined) return local(dataFolder(where.data), undefined)
  const { servers, default: standard } = await readServers()
  const known = new Map(servers.map((server) => [server.url, server]))
  const chosen = chosenServer(where, { variables: process.env, known: new Set(known.keys()), standard })
  if (chosen.kind === 'local') return local(dataFolder(chosen.folder), chosen.url)
  const server = known.get(chosen.url)
  if (server === undefined) throw notLoggedIn(chosen.url)
  return remote(server)
}

async function local(folder: string, expected: string | undefined): Promise<Connection> {
  const server = await readServerFile(folder)
  if (expected !== undefined && server?.url !== expected) throw notLoggedIn(expected)
  if (server === undefined)
    throw new Error(`no Carrick runs on ${folder}: start one with \`npx carrick up --data ${folder}\``)
  const credentials = CredentialsFile.parse(JSON.parse(await readFile(join(folder, 'credentials.json'), 'utf8')))
  return {
    url: server.url,
    address: addressOf(server.url),
    key: `${credentials.key_id}:${credentials.key_secret}`,
    nickname: credentials.nickname,
    ca: await readFile(join(folder, 'tls', 'ca.pem'), 'utf8'),
    bundleFile: join(folder, 'tls', 'bundle.pem'),
  }
}

async function remote({ url, key, nickname, ca }: KnownServer): Promise<Connection> {
  const folder = join(configFolder(), 'bundles')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const address = addressOf(url)
  return { url, address, key, nickname, ca, bundleFile: join(folder, `${address.replaceAll(/[^\w.-]/g, '_')}.pem`) }
}

function addressOf(url: string): string {
  const { hostname, port } = new URL(url)
  return `${hostname}:${port === '' ? '443' : port}`
}

function notLoggedIn(url: string): Error {
  return new Error(`there is no login for ${url}: run \`npx carrick login ${url}\`, or see \`npx carrick servers\``)
}
