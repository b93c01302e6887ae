/** One order of a certificate from an ACME server. Loaded when one is placed: the library behind it is large. */
import { crypto, Client, axios, type Authorization } from 'acme-client'
import type { Challenges } from './challenges.ts'
import type { Identity } from './identity.ts'

export interface Order {
  readonly names: readonly string[]
  readonly directory: string
  readonly email: string
  readonly challenge: 'http-01' | 'tls-alpn-01'
  /** External account binding, of servers that ask for it. */
  readonly eab?: { readonly kid: string; readonly hmacKey: string }
  readonly accountKeyPem: string
  readonly challenges: Pick<Challenges, 'prove'>
}

const answerMs = 30_000
/** When it is first looked whether the server has checked a name; then at twice that, and so on. */
const firstLookMs = 1_000

/** A new key of an account. */
export async function newAccountKey(): Promise<string> {
  return String(await crypto.createPrivateEcdsaKey('P-256'))
}

/** Proves the names and answers a new key with its certificate. Throws what the ACME server said against it. */
export async function order({
  names,
  directory,
  email,
  challenge,
  eab,
  accountKeyPem,
  challenges,
}: Order): Promise<Identity> {
  axios.defaults.timeout = answerMs
  const client = new Client({
    directoryUrl: directory,
    accountKey: accountKeyPem,
    backoffMin: firstLookMs,
    ...(eab && { externalAccountBinding: eab }),
  })
  const key = await crypto.createPrivateEcdsaKey('P-256')
  const [keyPem, csr] = await crypto.createCsr({ altNames: [...names] }, key)
  const given = new Map<string, Disposable>()
  const certPem = await client.auto({
    csr,
    ...(email !== '' && { email }),
    termsOfServiceAgreed: true, // settings are refused before this without the operator's own yes
    challengePriority: [challenge],
    // Whether the server can be reached under its public name from within is nobody's concern.
    skipChallengeVerification: true,
    challengeCreateFn: async (authorization, { type, token, url }, keyAuthorization) => {
      if (type !== challenge)
        throw new Error(`the ACME server offers no ${challenge} for ${authorization.identifier.value}`)
      const proof =
        challenge === 'http-01'
          ? ({ kind: challenge, token, answer: keyAuthorization } as const)
          : ({
              kind: challenge,
              name: authorization.identifier.value,
              identity: await tlsProof(authorization, keyAuthorization),
            } as const)
      given.set(url, challenges.prove(proof))
    },
    challengeRemoveFn: async (_authorization, { url }) => given.get(url)?.[Symbol.dispose](),
  })
  return { certPem, keyPem: String(keyPem) }
}

async function tlsProof(authorization: Authorization, keyAuthorization: string): Promise<Identity> {
  const key = await crypto.createPrivateEcdsaKey('P-256')
  const [keyPem, certPem] = await crypto.createAlpnCertificate(authorization, keyAuthorization, key)
  return { certPem: String(certPem), keyPem: String(keyPem) }
}
