import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { CarrickError } from '../domain/errors.ts'
import type { RequestId } from '../domain/ids.ts'
import type { RequestPayload } from '../domain/request.ts'
import type { Earlier, IdempotencyKey } from '../store/idempotency.ts'

/** Visible characters of ASCII. */
const form = /^[\u0021-\u007e]{1,255}$/

/** What the caller named this submit by, if it did. Throws `bad_request` for what is no name. */
export function idempotencyKeyIn(headers: IncomingHttpHeaders): string | undefined {
  const key = headers['idempotency-key']
  if (key === undefined || (typeof key === 'string' && form.test(key))) return key
  const message = 'The header Idempotency-Key must hold 1 to 255 visible ASCII characters, without spaces'
  throw new CarrickError('bad_request', message)
}

/** The name together with what it is a name of. A body that is a blob has its own hash as its key. */
export function nameOf(
  key: string,
  { method, path, body }: Omit<RequestPayload, 'headers' | 'callerId'>,
): IdempotencyKey {
  const content = 'inline' in body ? createHash('sha256').update(body.inline).digest('hex') : body.blob
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([method, path, content]))
    .digest('hex')
  return { key, fingerprint }
}

/**
 * The request that has the name already. Throws `idempotency_key_reused` where it was another one's name, and says whose
 * to `known` callers: those without a key are many, and whoever has an id of a public app's request sees its result.
 */
export function sameRequest({ requestId, fingerprint }: Earlier, name: IdempotencyKey, known: boolean): RequestId {
  if (fingerprint === name.fingerprint) return requestId
  const other = known ? `request ${requestId}` : 'another request'
  throw new CarrickError(
    'idempotency_key_reused',
    `The Idempotency-Key "${name.key}" was used for ${other} with another path or body: send this one with a key of its own`,
  )
}
