import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'

/** Hands out loopback ports on which nothing listens. None is given twice before it came back. */
export interface Ports {
  take(): Promise<number>
  giveBack(port: number): void
}

export async function createPorts(): Promise<Ports> {
  const [lowest, end] = await range()
  const taken = new Set<number>()

  async function take(): Promise<number> {
    for (let attempt = 0; attempt < 1_000; attempt++) {
      const wanted = end > lowest ? randomInt(lowest, end) : 0
      if (taken.has(wanted)) continue
      if (wanted !== 0) taken.add(wanted) // before anything is awaited: two starts at once must not share it
      const port = await bindable(wanted)
      if (port !== undefined && (wanted !== 0 || !taken.has(port))) {
        taken.add(port)
        return port
      }
      if (wanted !== 0) taken.delete(wanted)
    }
    throw new Error(`no free port between ${lowest} and ${end} on loopback`)
  }

  return { take, giveBack: (port) => void taken.delete(port) }
}

/**
 * Ports below those that the kernel gives to outgoing connections: one of these could take the runner's port between
 * the look and the runner's own bind, which may be minutes later. Empty when there is no room below.
 */
async function range(): Promise<[number, number]> {
  const text = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '32768 60999')
  const first = Number(text.trim().split(/\s+/)[0])
  return [Math.max(first - 10_000, 1_024), first]
}

async function bindable(port: number): Promise<number | undefined> {
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return undefined
  }
  const address = server.address()
  server.close()
  return typeof address === 'object' ? address?.port : undefined
}
