import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { root } from './carrick.ts'

/** A file of `test/corpus/http`: words about it up to the first empty line, behind that the bytes as they are sent. */
export interface Case {
  readonly name: string
  readonly why: string
  /** Statuses, any of which will do; `closed` stands for no answer: the connection merely ends. */
  readonly expect: readonly string[]
  /** The reason under which it is counted. */
  readonly counts: string | undefined
  readonly speaks: 'http' | 'h2'
  /** Whether the client ends its half behind the bytes, which not all servers bear. */
  readonly hangsUp: boolean
  readonly bytes: Buffer
}

const folder = join(root, 'test/corpus/http')
/** HTTP/2 begins with these and an empty frame of settings. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')

/** `{{KEY}}` in the bytes becomes the key. */
export function corpus(key: string): readonly Case[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.raw'))
  return files.map((file) => read(file, key))
}

function read(file: string, key: string): Case {
  const content = readFileSync(join(folder, file))
  const end = content.indexOf('\n\n')
  const words = new Map(
    content
      .subarray(0, end)
      .toString()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const),
  )
  const bytes = Buffer.from(
    content
      .subarray(end + 2)
      .toString('latin1')
      .replaceAll('{{KEY}}', key),
    'latin1',
  )
  const repeated = Buffer.concat(Array.from({ length: Number(words.get('repeat') ?? 1) }, () => bytes))
  const speaks = words.get('speaks')
  return {
    name: file.slice(0, -'.raw'.length),
    why: words.get('why') ?? '',
    expect: (words.get('expect') ?? '').split(' or '),
    hangsUp: words.has('then'),
    counts: words.get('counts'),
    speaks: speaks === undefined ? 'http' : 'h2',
    bytes: speaks === 'h2' ? Buffer.concat([preface, repeated]) : repeated,
  }
}

/** The server closes sooner. */
const patienceMs = 30_000

/** Sends bytes and answers all that comes back until the server closes. After `hangUpMs` the client ends its half. */
export async function exchange(
  url: URL,
  { bytes, speaks, hangsUp }: Sent,
  { hangUpMs }: { hangUpMs?: number } = {},
): Promise<Buffer> {
  const socket = await dialled(url, speaks)
  const received: Buffer[] = []
  socket.on('error', () => {}) // a reset is an end too
  socket.on('data', (chunk: Buffer) => void received.push(chunk))
  const ended = new Promise<true>((resolve) =>
    socket.once('end', () => resolve(true)).once('close', () => resolve(true)),
  )
  if (hangsUp) socket.end(bytes)
  else socket.write(bytes)
  const patience = new AbortController()
  if (hangUpMs !== undefined) setTimeout(() => socket.end(), hangUpMs)
  const closed = await Promise.race([ended, pause(patienceMs, false, { signal: patience.signal })])
  patience.abort()
  socket.destroy()
  if (!closed) throw new Error(`the server kept the connection for more than ${patienceMs} ms`)
  return Buffer.concat(received)
}

export type Sent = Pick<Case, 'bytes' | 'speaks' | 'hangsUp'>

async function dialled({ hostname: host, port, protocol }: URL, speaks: Case['speaks']): Promise<Duplex> {
  if (protocol === 'http:') {
    const socket = connect({ host, port: Number(port), allowHalfOpen: true })
    await once(socket, 'connect')
    return socket
  }
  const socket = connectTls({
    host,
    port: Number(port),
    rejectUnauthorized: false,
    ALPNProtocols: [speaks === 'h2' ? 'h2' : 'http/1.1'],
  })
  await once(socket, 'secureConnect')
  return socket
}

/** The statuses of the answers in it: each begins a line of its own. */
export function statusesIn(received: Buffer): string[] {
  return Array.from(
    received.toString('latin1').matchAll(/(?:^|\n|[^\r\n])HTTP\/1\.1 (\d{3}) /g),
    ([, status = '']) => status,
  )
}
