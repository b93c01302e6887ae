import { readFile } from 'node:fs/promises'
import type { Address } from '../domain/runner.ts'

/** A socket that listens, as the kernel tells of it. */
export interface Listener extends Address {
  /** By which processes that have it open show it: `socket:[INODE]`. */
  readonly inode: string
}

/**
 * What listens for TCP in the network of a process, whoever does (proc(5), `/proc/PID/net/tcp`). Nothing of one that is
 * gone, or on a machine whose kernel shows none.
 */
export async function listenersOf(pid: number): Promise<readonly Listener[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8').catch(() => '')),
  )
  return tables.flatMap((table) => table.split('\n').slice(1)).flatMap((line) => listenerIn(line) ?? [])
}

const listens = '0A'

function listenerIn(line: string): Listener | undefined {
  const fields = line.trim().split(/\s+/)
  const [, local = '', , state] = fields
  const [address = '', port = ''] = local.split(':')
  if (state !== listens || port === '') return undefined
  return { host: hostOf(address), port: Number.parseInt(port, 16), inode: fields[9] ?? '' }
}

/** Words of four bytes in hexadecimal, each with its last byte first, as machines with little-endian memory have them. */
function hostOf(address: string): string {
  const words = address.match(/.{8}/g) ?? []
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).toReversed())
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.')
  if (bytes.every((byte) => byte === '00')) return '::'
  const groups = Array.from({ length: 8 }, (_, i) => `${bytes[2 * i]}${bytes[2 * i + 1]}`)
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
