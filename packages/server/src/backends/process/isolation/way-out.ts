import { constants } from 'node:fs'
import { access, readFile, realpath } from 'node:fs/promises'
import { isIP } from 'node:net'
import { delimiter, join } from 'node:path'

/** How a network of a runner's own leads to the world. */
export interface WayOut {
  /** The program: it needs no rights, and makes nothing on the machine. */
  readonly pasta: string
  /** The file that tells which servers know names, where that is not the machine's own. */
  readonly resolver: string | undefined
}

const folders = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin'
/** What `systemd-resolved` asks; it answers on loopback, where only the machine's own network is. */
const behindResolved = '/run/systemd/resolve/resolv.conf'

/** Or why there is none, as half a sentence. */
export async function wayOut(): Promise<WayOut | { readonly why: string }> {
  const pasta = await findProgram('pasta')
  if (pasta === undefined) return { why: 'the program `pasta` (package passt) is not there' }
  const own = '/etc/resolv.conf'
  if (await isReachable(own)) return { pasta, resolver: await realpath(own) }
  if (await isReachable(behindResolved)) return { pasta, resolver: behindResolved }
  return { why: `names are looked up on loopback only (${own}), which another network does not have` }
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of folders.split(delimiter)) {
    const program = join(folder, name)
    const isThere = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return program
  }
  return undefined
}

/** Whether a resolver that this file names is somewhere else than on loopback; a file that names none is as good. */
async function isReachable(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return false
  const servers = text.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? [])
  return servers.every((address) => isIP(address) !== 0 && !/^(?:127\.|::1$)/.test(address))
}
