import type { IncomingMessage, ServerResponse } from 'node:http'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Identity } from './identity.ts'

/** The proofs that an ACME server may ask for now. */
export interface Challenges {
  /** http-01 (RFC 8555, 8.3): answers a request for a proof. False for every other request. */
  answer(request: IncomingMessage, response: ServerResponse): boolean
  /** tls-alpn-01 (RFC 8737): whether a proof may be asked for on a TLS connection. */
  readonly expectsTls: boolean
  /** The certificate that proves this name. */
  contextFor(servername: string): SecureContext | undefined
  /** Gives a proof until it is disposed. */
  prove(proof: Proof): Disposable
}

export type Proof =
  | { readonly kind: 'http-01'; readonly token: string; readonly answer: string }
  | { readonly kind: 'tls-alpn-01'; readonly name: string; readonly identity: Identity }

const folder = '/.well-known/acme-challenge/'

export function createChallenges(): Challenges {
  const answers = new Map<string, string>()
  const contexts = new Map<string, SecureContext>()
  return {
    answer({ url = '' }, response) {
      const answer = url.startsWith(folder) ? answers.get(url.slice(folder.length)) : undefined
      if (answer === undefined) return false
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(answer)
      return true
    },
    get expectsTls() {
      return contexts.size > 0
    },
    contextFor: (servername) => contexts.get(servername.toLowerCase()),
    prove(proof) {
      if (proof.kind === 'http-01') return held(answers, proof.token, proof.answer)
      const { certPem, keyPem } = proof.identity
      return held(contexts, proof.name.toLowerCase(), createSecureContext({ cert: certPem, key: keyPem }))
    },
  }
}

function held<T>(map: Map<string, T>, key: string, value: T): Disposable {
  map.set(key, value)
  return { [Symbol.dispose]: () => void map.delete(key) }
}
