import { lookup, Resolver } from 'node:dns/promises'

/** The addresses of a host. Whoever asks waits no longer than its signal says. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly string[]>

/** Who knows names: the name servers, and the machine with its own files. */
export interface Knowing {
  readonly servers: Resolve
  readonly machine: (host: string) => Promise<readonly string[]>
}

/** Each question to the machine holds one of the four threads that files need as well, for as long as a server is silent. */
const mostOfMachine = 2

/**
 * Asks the name servers, which takes no thread, and the machine for what they do not know. Names without a dot are the
 * machine's. So a name whose server never answers holds up nobody else's. Throws the machine's own error.
 */
export function createResolve({ servers, machine }: Knowing = real): Resolve {
  let asked = 0
  const waiting: (() => void)[] = []
  async function ofMachine(host: string, signal: AbortSignal): Promise<readonly string[]> {
    if (asked >= mostOfMachine) await new Promise<void>((resolve) => waiting.push(resolve))
    asked += 1
    try {
      return signal.aborted ? [] : await machine(host)
    } finally {
      asked -= 1
      waiting.shift()?.()
    }
  }
  return async (host, signal) => {
    if (!host.includes('.')) return ofMachine(host, signal)
    const found = await servers(host, signal).catch(() => [])
    return found.length > 0 ? found : ofMachine(host, signal)
  }
}

const real: Knowing = {
  async servers(host, signal) {
    const resolver = new Resolver({ timeout: 2_500, tries: 2 })
    const cancel = () => resolver.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      const kinds = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
      return kinds.flatMap((kind) => (kind.status === 'fulfilled' ? kind.value : []))
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  },
  machine: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
}
