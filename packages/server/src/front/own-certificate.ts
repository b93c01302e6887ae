import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Clock, Moment } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { startLoop, type Loop } from '../kit/loop.ts'
import type { Identities } from './identities.ts'
import { belongTogether, holds } from './identities.ts'
import type { Identity } from './identity.ts'

export interface OwnFiles {
  readonly cert: string
  readonly key: string
}

export interface OwnOptions {
  readonly files: OwnFiles
  /** What clients may call the server; names that the certificate lacks are shown the local one. */
  readonly names: readonly string[]
  readonly clock: Clock
  readonly log: Logger
  readonly identities: Pick<Identities, 'use'>
}

/** How often the files are looked at. */
const everyMs = 2_000

/**
 * Shows an operator's own certificate, and the new one within seconds after its files change. Throws a sentence when it
 * cannot be shown now; a later one that cannot be is reported once, and the one before it stays.
 */
export async function useOwnCertificate({ files, names, clock, log, identities }: OwnOptions): Promise<Loop> {
  const use = (identity: Identity) => {
    const wrong = wrongWith(identity, files, clock.now())
    if (wrong !== undefined) throw new Error(wrong)
    identities.use(identity)
    const lacking = namesLacking(identity, names)
    if (lacking.length > 0)
      log.warn({ file: files.cert, names: lacking }, 'the certificate is not for these names: they get the local one')
  }
  let judged = await readOwn(files)
  let last = judged
  use(judged)
  return startLoop(
    async () => {
      const now = await readOwn(files).catch(() => unreadable)
      // The two files are written one after the other: they are judged when they have come to rest.
      const isAtRest = isSame(now, last)
      last = now
      if (!isAtRest || isSame(now, judged)) return
      judged = now
      try {
        use(now)
        log.info({ file: files.cert }, 'the certificate was read again')
      } catch (error) {
        log.error({ err: error }, 'the new certificate is not used; the one before it stays')
      }
    },
    { name: 'watch over the certificate files', everyMs, log },
  )
}

const unreadable: Identity = { certPem: '', keyPem: '' }
const isSame = (one: Identity, other: Identity) => one.certPem === other.certPem && one.keyPem === other.keyPem

/** Why a certificate cannot be shown, as a sentence; undefined when it can. */
function wrongWith(identity: Identity, files: OwnFiles, now: Moment): string | undefined {
  const certificate = parsed(identity.certPem)
  if (certificate === undefined) return `${files.cert} holds no certificate in PEM`
  if (!belongTogether(identity))
    return `the private key in ${files.key} is not that of the certificate in ${files.cert}`
  const { validFromDate: from, validToDate: to } = certificate
  if (to.getTime() <= now) return `the certificate in ${files.cert} ended on ${to.toISOString()}: put a new one there`
  if (from.getTime() > now) return `the certificate in ${files.cert} begins on ${from.toISOString()}`
  return undefined
}

/** Those of the names that a certificate is not for. */
function namesLacking({ certPem }: Identity, names: readonly string[]): readonly string[] {
  const certificate = new X509Certificate(certPem)
  return names.filter((name) => !holds(certificate, name))
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

async function readOwn({ cert, key }: OwnFiles): Promise<Identity> {
  // One after the other: of a folder that holds neither, the certificate is always what is missed.
  const certPem = await readPem(cert)
  return { certPem, keyPem: await readPem(key) }
}

function readPem(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: Error) => {
    throw new Error(`the certificate cannot be read: ${cause.message}`, { cause })
  })
}
