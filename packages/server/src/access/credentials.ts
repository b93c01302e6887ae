import type { Credentials } from './keyring.ts'

const keyForm = /^([^\s:]{1,200}):(\S{1,1000})$/
const schemes: ReadonlySet<string> = new Set(['key', 'bearer'])

/** A key in the form of FAL_KEY, `id:secret`; undefined for anything else. */
export function parseKey(text: string): Credentials | undefined {
  const [, keyId, secret] = keyForm.exec(text.trim()) ?? []
  return keyId === undefined || secret === undefined ? undefined : { keyId, secret }
}

/** A key as people write it down and FAL_KEY holds it. */
export function formatKey({ keyId, secret }: Credentials): string {
  return `${keyId}:${secret}`
}

/**
 * The key in an HTTP `Authorization` header: `Key id:secret`, or `Bearer id:secret` as some clients send it. Undefined
 * when there is none, or another kind of token.
 */
export function httpCredentials(authorization: string | undefined): Credentials | undefined {
  const [scheme, token] = split(authorization?.trim() ?? '')
  return schemes.has(scheme.toLowerCase()) ? parseKey(token) : undefined
}

/** The key in gRPC metadata: `auth-key-id` with `auth-key`, else what an `authorization` entry holds. */
export function grpcCredentials(metadata: { get(name: string): string | null }): Credentials | undefined {
  const keyId = metadata.get('auth-key-id')
  const secret = metadata.get('auth-key')
  if (keyId !== null && secret !== null) return parseKey(`${keyId}:${secret}`)
  return httpCredentials(metadata.get('authorization') ?? undefined)
}

function split(header: string): [scheme: string, token: string] {
  const at = header.search(/\s/)
  return at === -1 ? ['', ''] : [header.slice(0, at), header.slice(at + 1)]
}
