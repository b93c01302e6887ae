import { createIdentities } from '../front/identities.ts'
import type { Foundation } from '../foundation.ts'
import { ingressName } from '../ingress-name.ts'
import { openPort, type Answering } from '../port.ts'

/** Where runners reach the platform: a port of their own, whatever address people reach it at. */
export interface Ingress {
  /** `host:port`, as runners know it. */
  readonly authority: string
  /** Listens at one more address of this machine, at the same port, until it is let go of. Throws a sentence. */
  listenAt(address: string): Promise<AsyncDisposable>
}

/** Opens it on loopback, at a free port; `closing` closes it. */
export async function openIngress(
  foundation: Foundation,
  roles: () => Answering | undefined,
  closing: AsyncDisposableStack,
): Promise<Ingress> {
  const identities = createIdentities(foundation.certificates)
  const listen = async (host: string, port: number) => {
    const front = openPort(foundation, { identities, serves: 'runners' }, roles)
    const bound = await front.listen({ host, port })
    return { port: bound.port, [Symbol.asyncDispose]: () => front.close({ graceMs: 0 }) }
  }
  const { port } = closing.use(await listen('127.0.0.1', 0))
  return {
    authority: `${ingressName(foundation.config) ?? 'localhost'}:${port}`,
    listenAt: (address) => listen(address, port),
  }
}
