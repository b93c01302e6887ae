import type { RequestListener } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureCertificates } from '../front/certificates.ts'
import { createChallenges, type Challenges } from '../front/challenges.ts'
import { createFront, type Front, type FrontLimits, type FrontOptions } from '../front/front.ts'
import { createGrpcDoor, type GrpcLimits, type GrpcListener } from '../front/grpc-door.ts'
import { createIdentities } from '../front/identities.ts'
import { createHttpDoor, type HttpDoorOptions, type HttpLimits, type UpgradeListener } from '../front/http-door.ts'
import { silent } from '../kit/logger.ts'
import { isSecure } from '../kit/secure.ts'

export interface TestFront extends AsyncDisposable {
  readonly front: Front
  readonly options: FrontOptions & { readonly challenges: Challenges }
  readonly port: number
  readonly caPem: string
  /** A plain TCP connection to the port. */
  dial(): Socket
}

interface Parts {
  http?: RequestListener
  grpc?: GrpcListener
  upgrade?: UpgradeListener
  limits?: Partial<FrontLimits & HttpLimits & GrpcLimits>
  mayBeSlow?: HttpDoorOptions['mayBeSlow']
  onRejected?: HttpDoorOptions['onRejected']
}

/** A front on a free port. Each door answers with its own name, and whether the request came over TLS. */
export async function openTestFront(parts: Parts = {}): Promise<TestFront> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-front-'))
  const { keyPem, certPem, caPem } = await ensureCertificates({ folder, names: [], now: Date.now() })
  const challenges = createChallenges()
  const { limits, mayBeSlow = () => false, onRejected = () => {} } = parts
  const options = {
    tls: createIdentities({ keyPem, certPem }),
    challenges,
    doors: {
      http: createHttpDoor(parts.http ?? nameHttp, parts.upgrade ?? ((_request, socket) => socket.destroy()), {
        ...limits,
        mayBeSlow,
        onRejected,
      }),
      grpc: createGrpcDoor(parts.grpc ?? nameGrpc, { ...limits, onRejected }),
    },
    limits: limits ?? {},
    onRejected,
    log: silent,
  }
  const front = createFront(options)
  const { port } = await front.listen({ host: '127.0.0.1', port: 0 })
  return {
    front,
    options,
    port,
    caPem,
    dial: () => connect({ host: '127.0.0.1', port, allowHalfOpen: true }).on('error', () => {}),
    async [Symbol.asyncDispose]() {
      await front.close({ graceMs: 0 })
      await rm(folder, { recursive: true })
    },
  }
}

const nameHttp: RequestListener = (request, response) => {
  response.end(`http/1.1 ${isSecure(request) ? 'over TLS' : 'in the clear'}`)
}

const nameGrpc: GrpcListener = (request, response) => {
  response.end(`h2 ${isSecure(request) ? 'over TLS' : 'in the clear'}`)
}
