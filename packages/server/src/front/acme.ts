/**
 * Certificates from an ACME server: has one for the names that are asked for, and a new one in time.
 * Reads and writes its folder, talks to the ACME server. One at a time per data folder, which the server has the lock of.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { startLoop, type Loop } from '../kit/loop.ts'
import { heldBy, openAcmeFolder, type AcmeFolder } from './acme-folder.ts'
import type { Order } from './acme-order.ts'
import type { Challenges } from './challenges.ts'
import type { Identities } from './identities.ts'
import { renewal, type Standing } from './renewal.ts'

export interface AcmeOptions extends Omit<Order, 'accountKeyPem' | 'challenges'> {
  readonly folder: string
  /** Where http-01 is answered besides the one port; port 0 for nowhere. */
  readonly proofs: { readonly host: string; readonly port: number }
  readonly challenges: Challenges
  readonly identities: Pick<Identities, 'use'>
  readonly clock: Clock
  readonly log: Logger
}

/** How often it is asked whether it is time for a new one. */
const everyMs = 5_000

/** Shows the certificate that is kept, and orders one now and whenever it is time. What fails is logged and tried again later. */
export async function startAcme(options: AcmeOptions): Promise<Loop> {
  const { clock, log, names, directory, identities } = options
  const folder = await openAcmeFolder(options.folder)
  const kept = await folder.identity()
  const held = kept && heldBy(kept)
  let standing: Standing = { ...(held && { held }), ...(await folder.tries()) }
  if (kept !== undefined && heldBy(kept).validTo > clock.now()) identities.use(kept)

  return startLoop(
    async (signal) => {
      if (renewal(standing, names, clock.now()).kind === 'wait') return
      const triedAt = clock.now()
      const { failures } = standing
      try {
        const identity = await unlessAborted(signal, place(options, folder))
        await folder.keep(identity)
        standing = { held: heldBy(identity), failures: 0, triedAt }
        identities.use(identity)
        if (renewal(standing, names, clock.now()).kind === 'order') throw new Error(unfit(standing))
        log.info({ names }, 'there is a new certificate from the ACME server')
      } catch (error) {
        if (signal.aborted) return
        standing = { ...standing, failures: failures + 1, triedAt }
        const next = renewal(standing, names, triedAt)
        const again = next.kind === 'wait' ? new Date(next.until).toISOString() : 'now'
        log.error({ err: error, names, directory, again }, 'no fit certificate from the ACME server: it is tried again')
      }
      await folder.keepTries({ failures: standing.failures, triedAt })
    },
    { name: 'certificate order', everyMs, log },
  )
}

/** Why a certificate that has just come would be ordered again at once, which must not be done without a pause. */
function unfit({ held }: Standing): string {
  const [from, to] = [held?.validFrom ?? 0, held?.validTo ?? 0].map((moment) => new Date(moment).toISOString())
  return `the ACME server gave a certificate for ${held?.names.join(', ')}, good from ${from} to ${to}, and another one was asked for`
}

async function place(options: AcmeOptions, folder: AcmeFolder) {
  const { order, newAccountKey } = await import('./acme-order.ts')
  const accountKeyPem = await folder.accountKey(newAccountKey)
  const { challenge, proofs } = options
  await using closing = new AsyncDisposableStack()
  if (challenge === 'http-01' && proofs.port !== 0) closing.use(await answerProofs(options))
  return await order({ ...options, accountKeyPem })
}

/** A port for http-01 alone, open while an order is under way. */
async function answerProofs({ proofs, challenges }: AcmeOptions): Promise<AsyncDisposable> {
  const server = createServer(
    { connectionsCheckingInterval: 5_000, headersTimeout: 10_000, requestTimeout: 10_000 },
    (request, response) => {
      if (!challenges.answer(request, response)) response.writeHead(404, { connection: 'close' }).end()
    },
  )
  server.maxConnections = 100
  server.listen(proofs)
  await once(server, 'listening').catch((cause: Error) => {
    const instead =
      'free it, or lead port 80 to another one and set CARRICK_ACME_HTTP_PORT to that, or to 0 for the one port'
    throw new Error(`http-01 cannot be answered on ${proofs.host}:${proofs.port} (${cause.message}): ${instead}`, {
      cause,
    })
  })
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The library takes no signal: what it is in the middle of goes on unheard when the server stops. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = () => reject(new Error('the server stops'))
    signal.addEventListener('abort', give, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', give))
  })
}
