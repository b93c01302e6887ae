import { z } from 'zod'
import { isInScope } from '../domain/call-scope.ts'
import type { Caller } from '../domain/permissions.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import type { Keyring } from './keyring.ts'
import { derivedKey } from './seal.ts'

/**
 * What keys are exchanged for where a browser calls an app by itself: tokens that may call the apps they are for, and
 * nothing else. They end with their key, and none is stored.
 */
export interface CallTokens {
  /** A token of this caller for these apps, in the words of `isInScope`. */
  issue(caller: Caller, apps: readonly string[], until: Moment): Promise<string>
  /** Who shows a token at an endpoint, `owner/app/path`; undefined when it is wrong, over, or not for this endpoint. */
  identify(token: string, endpoint: string): Promise<Caller | undefined>
}

export interface CallTokenParts {
  readonly keyring: Pick<Keyring, 'holderOf'>
  readonly clock: Clock
  /** The installation's. */
  readonly encryptionKey: Uint8Array
}

/** Loaded with the first token: not every server sees one. */
const jose = () => import('jose')

const algorithm = 'HS256'
const audience = 'carrick:calls'
const Claims = z.object({ sub: z.string(), exp: z.number(), apps: z.array(z.string()) })

export function createCallTokens({ keyring, clock, encryptionKey }: CallTokenParts): CallTokens {
  const key = derivedKey(encryptionKey, 'carrick calls')

  async function claimsOf(token: string) {
    const options = { audience, algorithms: [algorithm], currentDate: new Date(clock.now()) }
    const { jwtVerify } = await jose()
    const payload = await jwtVerify(token, key, options).then(
      (verified) => verified.payload,
      () => undefined,
    )
    return payload === undefined ? undefined : Claims.parse(payload)
  }

  return {
    issue: async ({ keyId, until: own = Infinity }, apps, until) =>
      new (await jose()).SignJWT({ apps })
        .setProtectedHeader({ alg: algorithm })
        .setSubject(keyId)
        .setAudience(audience)
        .setExpirationTime(Math.floor(Math.min(until, own) / 1_000))
        .sign(key),
    async identify(token, endpoint) {
      const claims = await claimsOf(token)
      if (claims === undefined || !isInScope(claims.apps, endpoint)) return undefined
      const holder = keyring.holderOf(claims.sub)
      if (holder === undefined) return undefined
      const permissions = new Set(holder.permissions.has('apps:call') ? (['apps:call'] as const) : [])
      return { ...holder, permissions, until: claims.exp * 1_000, callsOnly: claims.apps }
    },
  }
}
