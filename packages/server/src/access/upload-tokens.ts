import { z } from 'zod'
import type { ObjectId } from '../domain/ids.ts'
import type { Ticket } from '../domain/object.ts'
import { tokenPermissions, type Caller } from '../domain/permissions.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { Keyring } from './keyring.ts'
import { derivedKey } from './seal.ts'

/**
 * What keys are exchanged for where a key would travel too far: tokens that may only upload and use the key-value store,
 * and tickets that stand in an address and lead to one upload. Both end with their key. What lets somebody read an object
 * does not: a runner's key is gone long before its caller comes for the result. None of them is stored.
 */
export interface UploadTokens {
  /** A token of this caller. One that was had for a token ends with that token. */
  issue(caller: Caller): Promise<{ readonly token: string; readonly expiresAt: Moment }>
  /** Who shows a token in an `Authorization` header; undefined for anything else. */
  identify(authorization: string | undefined): Promise<Caller | undefined>
  /** A text that may stand in an address. */
  ticketFor(ticket: Ticket, until: Moment): Promise<string>
  /** What a ticket leads to; undefined when it is wrong or over, or its key may not upload any more. */
  redeem(text: string): Promise<Ticket | undefined>
  /** A text that may stand in an address and lets whoever has that read one object. It outlives the key that asked for it. */
  readingOf(objectId: ObjectId, until: Moment): Promise<string>
  /** What such a text is worth for this object; undefined when it is no such text, or another object's. */
  mayRead(text: string, objectId: ObjectId): Promise<'now' | 'no longer' | undefined>
}

export interface UploadTokenParts {
  readonly keyring: Pick<Keyring, 'holderOf'>
  readonly clock: Clock
  /** The installation's. */
  readonly encryptionKey: Uint8Array
}

/** Clients of the SDK ask for a new one as soon as theirs has less than an hour left. */
const lifeMs = 3 * 3_600_000

/** Loaded with the first token: not every server sees one. */
const jose = () => import('jose')

const algorithm = 'HS256'
const audiences = { token: 'carrick:storage', ticket: 'carrick:upload', reading: 'carrick:read' } as const
const TokenClaims = z.object({ sub: z.string(), exp: z.number() })
const TicketClaims = z.object({ sub: z.string(), obj: z.string() })

export function createUploadTokens({ keyring, clock, encryptionKey }: UploadTokenParts): UploadTokens {
  const key = derivedKey(encryptionKey, 'carrick uploads')
  const sign = async (subject: string, claims: object, audience: string, until: Moment) =>
    new (await jose()).SignJWT({ ...claims })
      .setProtectedHeader({ alg: algorithm })
      .setSubject(subject)
      .setAudience(audience)
      .setExpirationTime(Math.floor(until / 1_000))
      .sign(key)

  async function claimsOf<Schema extends z.ZodType>(text: string, audience: string, schema: Schema) {
    const options = { audience, algorithms: [algorithm], currentDate: new Date(clock.now()) }
    const { jwtVerify } = await jose()
    const payload = await jwtVerify(text, key, options).then(
      (verified) => verified.payload,
      () => undefined,
    )
    return payload === undefined ? undefined : schema.parse(payload)
  }

  return {
    async issue(caller) {
      const expiresAt = Math.min(clock.now() + lifeMs, caller.until ?? Infinity)
      return { token: await sign(caller.keyId, {}, audiences.token, expiresAt), expiresAt }
    },
    async identify(authorization) {
      const [, token] = /^bearer\s+(\S+)$/i.exec(authorization?.trim() ?? '') ?? []
      const claims = token === undefined ? undefined : await claimsOf(token, audiences.token, TokenClaims)
      const holder = claims && keyring.holderOf(claims.sub)
      if (claims === undefined || holder === undefined) return undefined
      const permissions = new Set(tokenPermissions.filter((permission) => holder.permissions.has(permission)))
      return { ...holder, permissions, until: claims.exp * 1_000 }
    },
    ticketFor: ({ objectId, keyId }, until) => sign(keyId, { obj: objectId }, audiences.ticket, until),
    async redeem(text) {
      const claims = await claimsOf(text, audiences.ticket, TicketClaims)
      if (!(claims && keyring.holderOf(claims.sub)?.permissions.has('storage:upload'))) return undefined
      return { objectId: claims.obj, keyId: claims.sub }
    },
    readingOf: (objectId, until) => sign(objectId, {}, audiences.reading, until),
    async mayRead(text, objectId) {
      const options = { audience: audiences.reading, subject: objectId, algorithms: [algorithm] }
      const { errors, jwtVerify } = await jose()
      return jwtVerify(text, key, { ...options, currentDate: new Date(clock.now()) }).then(
        () => 'now' as const,
        // It says so of nothing but what was signed here, for this object.
        (error: unknown) => (error instanceof errors.JWTExpired ? 'no longer' : undefined),
      )
    },
  }
}
