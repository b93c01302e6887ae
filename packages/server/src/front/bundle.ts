import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { replaceFile } from '../kit/files.ts'

/** Where systems keep the roots that they trust. */
const systemBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem']

export interface BundleOptions {
  /** Empty where ours is trusted already. */
  readonly caPem: string
  /** Where the bundle goes. */
  readonly file: string
  /** SSL_CERT_FILE as it was inherited: the roots that are in force now. */
  readonly inherited: string | undefined
}

/**
 * Writes the roots that were in force before, and ours once. A client that trusts this file reaches the platform and
 * everything that it reached until now.
 */
export async function writeBundle({ caPem, file, inherited }: BundleOptions): Promise<void> {
  const before = await rootsInForce(inherited)
  const ours = certificatesIn(caPem)
  const known = new Set(ours.map(substance))
  const others = before.filter((certificate) => !known.has(substance(certificate)))
  await replaceFile(file, [...others, ...ours].join('\n') + '\n', 0o644)
}

/** The roots that are in force without us: those of SSL_CERT_FILE, else the system's, else Node's own. */
export async function rootsInForce(inherited: string | undefined): Promise<readonly string[]> {
  const sources = inherited === undefined || inherited === '' ? systemBundles : [inherited, ...systemBundles]
  return (await firstReadable(sources)) ?? rootCertificates
}

async function firstReadable(files: readonly string[]): Promise<readonly string[] | undefined> {
  for (const file of files) {
    const found = certificatesIn(await readFile(file, 'utf8').catch(() => ''))
    if (found.length > 0) return found
  }
  return undefined
}

function certificatesIn(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
}

/** What makes two PEM texts the same certificate, however their lines are broken. */
function substance(pem: string): string {
  return pem.replaceAll(/\s/g, '')
}
