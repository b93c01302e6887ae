import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Identity } from './identity.ts'

/** The certificates that the front shows: the local one, and beside it another for the names that it holds. */
export interface Identities {
  /** For clients that name no host, or none that the other one holds. */
  readonly local: Identity
  /** What a client that asks for this name is shown instead of the local one, if anything. */
  contextFor(servername: string): SecureContext | undefined
  /** Shows another certificate from now on, to new connections. */
  use(other: Identity): void
}

export function createIdentities(local: Identity): Identities {
  let other: { certificate: X509Certificate; context: SecureContext } | undefined
  return {
    local,
    contextFor: (servername) =>
      other !== undefined && holds(other.certificate, servername) ? other.context : undefined,
    use({ certPem, keyPem }) {
      other = {
        certificate: new X509Certificate(certPem),
        context: createSecureContext({ cert: certPem, key: keyPem }),
      }
    },
  }
}

/** Whether a certificate is for this host name or address. A name that is a wildcard is held by the same wildcard. */
export function holds(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined
  return certificate.checkHost(name.replace(/^\*/, 'any'), { subject: 'never' }) !== undefined
}

/** Whether both are PEM and belong to one another. */
export function belongTogether({ certPem, keyPem }: Identity): boolean {
  try {
    return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    return false // not PEM: a file that was cut or edited
  }
}
