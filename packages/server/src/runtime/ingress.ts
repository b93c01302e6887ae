import type { Server } from 'node:net'
import { createIdentities } from '../front/identities.ts'
import type { Front } from '../front/front.ts'
import type { Foundation } from '../foundation.ts'
import { ingressName } from '../ingress-name.ts'
import { openPort, type Answering, type PortOptions } from '../port.ts'

/** Where runners reach the platform: a port of their own, whatever address people reach it at. */
export interface Ingress {
  /** `host:port`, as runners know it. */
  readonly authority: string
  /** Listens at one more address of this machine, at the same port, or by what listens already, until it is let go of. Throws a sentence. */
  listenAt(address: string, through?: Server): Promise<AsyncDisposable>
  /** Serves a container engine that does not reach the platform's own port, by what listens where it does. */
  serveEngine(through: Server): Promise<AsyncDisposable>
}

/** Opens it on loopback, at a free port; `closing` closes it. */
export async function openIngress(
  foundation: Foundation,
  roles: () => Answering | undefined,
  closing: AsyncDisposableStack,
): Promise<Ingress> {
  const identities = createIdentities(foundation.certificates)
  const listen = async (at: Parameters<Front['listen']>[0], serves: PortOptions['serves'] = 'runners') => {
    const front = openPort(foundation, { identities, serves }, roles)
    const bound = await front.listen(at)
    return { port: bound.port, [Symbol.asyncDispose]: () => front.close({ graceMs: 0 }) }
  }
  const { port } = closing.use(await listen({ host: '127.0.0.1', port: 0 }))
  return {
    authority: `${ingressName(foundation.config) ?? 'localhost'}:${port}`,
    listenAt: (host, through) => listen({ host, port, through }),
    serveEngine: (through) => listen({ host: 'the engine', port: 0, through }, 'people'),
  }
}
