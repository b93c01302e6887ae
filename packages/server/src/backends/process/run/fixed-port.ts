import { readdir, readlink } from 'node:fs/promises'
import type { Address } from '../../../domain/runner.ts'
import { listenersOf, type Listener } from '../../listeners.ts'
import { procsOf, type Tree } from '../end/end.ts'

/** Runners that share the machine's network are told apart by who has a socket open, which takes a look at all processes. */
const lookEveryMs = 250

/**
 * Where a runner that shares the machine's network serves on a port of its own choice: answers the address once a process
 * of that runner listens there, and nothing while nobody does, or somebody else.
 */
export function onFixedPort(port: number, tree: () => Tree): () => Promise<Address | undefined> {
  let lookAt = 0
  return async () => {
    const now = performance.now()
    if (now < lookAt) return undefined
    lookAt = now + lookEveryMs
    const here = (await listenersOf(process.pid)).filter((listener) => listener.port === port)
    if (here.length === 0) return undefined
    const [own] = await thoseOf(tree(), here)
    return own && { host: own.host.includes(':') && own.host !== '::' ? '::1' : '127.0.0.1', port }
  }
}

/** Those of the machine's listening sockets that a runner has open. */
export async function thoseOf(tree: Tree, listeners: readonly Listener[]): Promise<readonly Listener[]> {
  const open = new Set<string>()
  for (const { pid } of await procsOf(tree)) for (const inode of await socketsOf(pid)) open.add(inode)
  return listeners.filter(({ inode }) => open.has(inode))
}

async function socketsOf(pid: number): Promise<readonly string[]> {
  const folder = `/proc/${pid}/fd`
  const files = await readdir(folder).catch(() => [])
  const targets = await Promise.all(files.map((file) => readlink(`${folder}/${file}`).catch(() => '')))
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? [])
}
