import { rootsInForce } from '@carrick/server/bundle'
import { X509Certificate } from 'node:crypto'
import { get } from 'node:https'
import { isIP } from 'node:net'
import { connect } from 'node:tls'

const answerMs = 10_000
const mostBytes = 64 * 1024

/** A CA as a server hands it out. */
export interface Authority {
  readonly pem: string
  /** SHA-256 of the certificate, as openssl writes it. */
  readonly fingerprint: string
}

/** Whether a server's certificate is good for clients that trust these roots; why not, in OpenSSL's words. Throws a sentence when nobody answers. */
export function verdictOn(url: string, roots: readonly string[]): Promise<{ trusted: boolean; why: string }> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: port === '' ? 443 : Number(port),
      ca: [...roots],
      rejectUnauthorized: false,
      ...(isIP(host) === 0 && { servername: host }),
    })
    socket.setTimeout(answerMs, () => socket.destroy(new Error('no answer within 10 seconds')))
    socket.on('error', (cause) => reject(new Error(`${url} cannot be reached: ${cause.message}`, { cause })))
    socket.on('secureConnect', () => {
      resolve({ trusted: socket.authorized, why: socket.authorized ? '' : String(socket.authorizationError) })
      socket.destroy()
    })
  })
}

/** The roots that this machine's tools trust, without the CAs of Carrick servers: `carrick env` puts those there for one terminal. */
export async function machineRoots(): Promise<readonly string[]> {
  const roots = await rootsInForce(process.env['SSL_CERT_FILE'])
  return roots.filter((pem) => !new X509Certificate(pem).subject.startsWith('CN=Carrick local CA '))
}

/** The CA of a Carrick server, from the server itself: whose it is, only its fingerprint can tell. */
export async function fetchAuthority(url: string): Promise<Authority> {
  const path = '/.well-known/carrick/ca.pem'
  const pem = await new Promise<string>((resolve, reject) => {
    const refuse = (why: string, cause?: Error) =>
      reject(new Error(`${url} does not hand out the CA of a Carrick server (${why}): is it one?`, { cause }))
    const asked = get(`${url}${path}`, { rejectUnauthorized: false, timeout: answerMs, agent: false }, (response) => {
      if (response.statusCode !== 200) return refuse(`status ${response.statusCode}`)
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > mostBytes) asked.destroy(new Error('too large'))
        else chunks.push(chunk)
      })
      response.on('end', () => resolve(Buffer.concat(chunks).toString()))
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 seconds')))
    asked.on('error', (cause) => refuse(cause.message, cause))
  })
  return authorityIn(pem, url)
}

/** The one CA certificate in a PEM text. */
export function authorityIn(pem: string, where: string): Authority {
  try {
    const certificate = new X509Certificate(pem)
    if (!certificate.ca) throw new Error('it is a certificate, and none of a CA')
    return { pem: certificate.toString(), fingerprint: certificate.fingerprint256 }
  } catch (cause) {
    throw new Error(`${where} holds no CA: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** Whether two fingerprints are the same, with or without colons, spaces, `SHA256:` and capitals. */
export function sameFingerprint(one: string, other: string): boolean {
  const plain = (text: string) =>
    text
      .toLowerCase()
      .replace(/^\s*sha-?256[:= ]/, '')
      .replaceAll(/[:\s]/g, '')
  return plain(one) === plain(other)
}
