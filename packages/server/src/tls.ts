import { join } from 'node:path'
import { listOf } from './config.ts'
import type { Foundation } from './foundation.ts'
import { startAcme } from './front/acme.ts'
import { createChallenges, type Challenges } from './front/challenges.ts'
import { createIdentities, type Identities } from './front/identities.ts'
import { useOwnCertificate } from './front/own-certificate.ts'

/** What the port for people shows to TLS clients. */
export interface PublicTls {
  readonly identities: Identities
  readonly challenges: Challenges
  /** Orders certificates, where that was asked for; to be called when the port is open, because the names are proved on it. */
  start(): Promise<void>
}

/** The local certificate, and beside it the operator's own or one from an ACME server. Throws a sentence when the own one cannot be shown. */
export async function openPublicTls(foundation: Foundation, closing: AsyncDisposableStack): Promise<PublicTls> {
  const { config, certificates, names, clock, log, folder } = foundation
  const identities = createIdentities(certificates)
  const challenges = createChallenges()
  if (config.CARRICK_TLS_CERT !== '') {
    const files = { cert: config.CARRICK_TLS_CERT, key: config.CARRICK_TLS_KEY }
    const watch = await useOwnCertificate({ files, names, clock, log, identities })
    closing.defer(() => watch.stop())
  }
  const acmeNames = [...new Set(listOf(config.CARRICK_ACME_NAMES.toLowerCase()))]
  const { CARRICK_ACME_EAB_KEY_ID: kid, CARRICK_ACME_EAB_HMAC_KEY: hmacKey } = config
  return {
    identities,
    challenges,
    async start() {
      if (acmeNames.length === 0) return
      const loop = await startAcme({
        folder: join(folder.tls, 'acme'),
        names: acmeNames,
        directory: config.CARRICK_ACME_DIRECTORY,
        email: config.CARRICK_ACME_EMAIL,
        challenge: config.CARRICK_ACME_CHALLENGE,
        ...(kid !== '' && { eab: { kid, hmacKey } }),
        proofs: { host: config.CARRICK_HOST, port: config.CARRICK_ACME_HTTP_PORT },
        challenges,
        identities,
        clock,
        log,
      })
      closing.defer(() => loop.stop())
    },
  }
}
