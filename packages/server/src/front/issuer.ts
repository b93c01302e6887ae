/**
 * Makes keys and certificates. Loaded only by a start that needs a new one: the library behind it is large.
 */
// oxlint-disable-next-line import/no-unassigned-import -- the certificate library looks for it when it is loaded
import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { Moment } from '../kit/clock.ts'
import type { Identity } from './identity.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 86_400_000
const authorityMs = 3_650 * dayMs
/** The longest that clients accept of a server. */
const serverMs = 397 * dayMs
/** For clients whose clocks are behind. */
const toleranceMs = dayMs

/** A CA of its own, which signs nothing but server certificates. */
export async function issueAuthority(now: Moment): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const name = `CN=Carrick local CA ${randomBytes(4).toString('hex')}`
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(),
      name,
      notBefore: new Date(now - toleranceMs),
      notAfter: new Date(now + authorityMs),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
  return identity(certificate, keys.privateKey)
}

/** A server certificate for the names, signed by the CA. */
export async function issueServer(ca: Identity, names: readonly string[], now: Moment): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const issuer = new X509Certificate(ca.certPem)
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: serial(),
      subject: 'CN=Carrick',
      issuer: issuer.subject,
      notBefore: new Date(now - toleranceMs),
      notAfter: new Date(Math.min(now + serverMs, issuer.notAfter.getTime())),
      publicKey: keys.publicKey,
      signingKey: await signingKey(ca),
      signingAlgorithm: algorithm,
      extensions: await serverExtensions(issuer, keys.publicKey, names),
    },
    webcrypto,
  )
  return identity(certificate, keys.privateKey)
}

async function serverExtensions(
  issuer: X509Certificate,
  publicKey: webcrypto.CryptoKey,
  names: readonly string[],
): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }))),
    await SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
    await AuthorityKeyIdentifierExtension.create(await issuer.publicKey.export(webcrypto), false, webcrypto),
  ]
}

function signingKey({ keyPem }: Identity): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(keyPem), algorithm, false, ['sign'])
}

async function identity(certificate: X509Certificate, privateKey: webcrypto.CryptoKey): Promise<Identity> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', privateKey)
  return { certPem: `${certificate.toString('pem')}\n`, keyPem: `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n` }
}

/** Twenty bytes at most, positive, and never twice. */
function serial(): string {
  return `01${randomBytes(15).toString('hex')}`
}
