import { X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceFile } from '../kit/files.ts'
import { belongTogether } from './identities.ts'
import type { Identity } from './identity.ts'
import type { Standing } from './renewal.ts'

/** What is kept about a certificate from an ACME server. Keys are for their owner alone. */
export interface AcmeFolder {
  identity(): Promise<Identity | undefined>
  keep(identity: Identity): Promise<void>
  /** The key of the account, made by `make` the first time. */
  accountKey(make: () => Promise<string>): Promise<string>
  tries(): Promise<Tries>
  keepTries(tries: Tries): Promise<void>
}

const tries = z.object({ failures: z.number().int().min(0), triedAt: z.number() })
type Tries = z.infer<typeof tries>

export async function openAcmeFolder(folder: string): Promise<AcmeFolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // A key and its certificate in one file are there together or not at all.
  const files = {
    pair: join(folder, 'server.pem'),
    account: join(folder, 'account.key.pem'),
    tries: join(folder, 'tries.json'),
  }
  return {
    async identity() {
      const text = await readIfThere(files.pair)
      const [keyPem = '', ...certificates] = text?.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n?/g) ?? []
      const identity = { keyPem, certPem: certificates.join('') }
      return belongTogether(identity) ? identity : undefined
    },
    keep: ({ keyPem, certPem }) => replaceFile(files.pair, `${keyPem.trim()}\n${certPem.trim()}\n`),
    async accountKey(make) {
      const kept = await readIfThere(files.account)
      if (kept !== undefined) return kept
      const made = await make()
      await replaceFile(files.account, made)
      return made
    },
    async tries() {
      const kept = tries.safeParse(jsonOf(await readIfThere(files.tries)))
      return kept.success ? kept.data : { failures: 0, triedAt: 0 }
    },
    keepTries: (now) => replaceFile(files.tries, `${JSON.stringify(now)}\n`),
  }
}

/** The names and the time of a certificate. */
export function heldBy({ certPem }: Identity): NonNullable<Standing['held']> {
  const { subjectAltName = '', validFromDate, validToDate } = new X509Certificate(certPem)
  const names = subjectAltName.split(', ').map((name) => name.replace(/^DNS:/, ''))
  return { names, validFrom: validFromDate.getTime(), validTo: validToDate.getTime() }
}

function jsonOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined // cut off or edited: as good as none
  }
}

function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
