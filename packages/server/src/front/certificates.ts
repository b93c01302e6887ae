import { X509Certificate } from 'node:crypto'
import { chmod, mkdir, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Moment } from '../kit/clock.ts'
import { replaceFile } from '../kit/files.ts'
import { belongTogether, holds } from './identities.ts'
import type { Identity } from './identity.ts'

export interface Certificates extends Identity {
  readonly caFile: string
  readonly caPem: string
}

/** Every server has these names, whatever others it is given. */
const localNames = [
  'localhost',
  'queue.localhost',
  'ws.localhost',
  'rest.localhost',
  'api.localhost',
  '127.0.0.1',
  '::1',
] as const

const dayMs = 86_400_000
/** Renewed at a start that finds less than this left. */
const renewalMs = 30 * dayMs

export interface CertificateOptions {
  readonly folder: string
  /** Host names and addresses besides the local ones. */
  readonly names: readonly string[]
  readonly now: Moment
}

/**
 * The server's certificate and the local CA that signed it, made when they are not there. The CA stays the same, so
 * clients that trust it go on trusting it; the certificate is made anew near its end and when the names change.
 */
export async function ensureCertificates({ folder, names, now }: CertificateOptions): Promise<Certificates> {
  const wanted = [...new Set([...localNames, ...names.map((name) => name.toLowerCase())])]
  const wrong = wanted.find((name) => !isHostName(name))
  if (wrong !== undefined)
    throw new Error(`"${wrong}" is not a host name or an address: give --name names such as fal.example.com`)
  await mkdir(folder, { recursive: true, mode: 0o700 })

  const caFiles = { cert: join(folder, 'ca.pem'), key: join(folder, 'ca.key.pem') }
  const serverFiles = { cert: join(folder, 'server.pem'), key: join(folder, 'server.key.pem') }
  const [ca, server] = await Promise.all([load(caFiles), load(serverFiles)])
  if (ca && server && serves(server, ca, wanted, now)) return { ...server, caPem: ca.certPem, caFile: caFiles.cert }

  const issuer = await import('./issuer.ts')
  const signing = ca && hasTimeLeft(ca, now) ? ca : await save(caFiles, await issuer.issueAuthority(now))
  const fresh = await save(serverFiles, await issuer.issueServer(signing, wanted, now))
  return { ...fresh, caPem: signing.certPem, caFile: caFiles.cert }
}

interface IdentityFiles {
  readonly cert: string
  readonly key: string
}

/** The pair on disk, or undefined when it is incomplete: a crash came between the two files. */
async function load(files: IdentityFiles): Promise<Identity | undefined> {
  const [certPem, keyPem] = await Promise.all([readIfThere(files.cert), readIfThere(files.key)])
  if (certPem === undefined || keyPem === undefined || !belongTogether({ certPem, keyPem })) return undefined
  await chmod(files.key, 0o600)
  return { certPem, keyPem }
}

async function save(files: IdentityFiles, identity: Identity): Promise<Identity> {
  await replaceFile(files.key, identity.keyPem)
  await replaceFile(files.cert, identity.certPem, 0o644)
  return identity
}

function serves(server: Identity, ca: Identity, names: readonly string[], now: Moment): boolean {
  const certificate = new X509Certificate(server.certPem)
  const signed = certificate.verify(new X509Certificate(ca.certPem).publicKey)
  return signed && hasTimeLeft(server, now) && hasTimeLeft(ca, now) && sameNames(certificate, names)
}

function sameNames(certificate: X509Certificate, names: readonly string[]): boolean {
  const held = (certificate.subjectAltName ?? '').split(', ').length
  return held === names.length && names.every((name) => holds(certificate, name))
}

function hasTimeLeft({ certPem }: Identity, now: Moment): boolean {
  const { validFromDate, validToDate } = new X509Certificate(certPem)
  return validFromDate.getTime() <= now && validToDate.getTime() - now > renewalMs
}

function isHostName(name: string): boolean {
  return (
    isIP(name) !== 0 || /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
  )
}

function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
