import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { deleteValue, putValue, valueAt } from '../../store/values.ts'
import { operation } from '../operation.ts'

/** Limits of platform-behaviour.md §8.5. */
export const mostValueBytes = 1_900_000
const [shortestTtl, longestTtl] = [60, 30 * 86_400]

const Name = z
  .string()
  .min(1)
  .max(512)
  .refine((name) => !name.includes('\0'), 'cannot hold the character NUL')
const Place = z.object({ store: Name, name: Name })

/** A value of the caller's account. Throws `value_not_found`. */
export const getValue = operation(
  { permission: 'kv:read', input: Place, whileDraining: true },
  async (deps, { accountId }, place): Promise<string> => {
    const value = await deps.store.read(valueAt({ accountId, ...place }, deps.clock.now()))
    if (value === undefined)
      throw new CarrickError(
        'value_not_found',
        `There is no value "${place.name}" in "${place.store}", or it has expired`,
      )
    return value
  },
)

const ttl = z.coerce
  .number(`ttl must be a number of seconds from ${shortestTtl} to ${longestTtl}`)
  .int()
  .min(shortestTtl, `ttl must be at least ${shortestTtl} seconds`)
  .max(longestTtl, `ttl must be at most ${longestTtl} seconds`)

/** Keeps a value for a while, in place of the one that was there. */
export const setValue = operation(
  {
    permission: 'kv:write',
    input: Place.extend({ value: z.string(), ttlSeconds: ttl.default(longestTtl) }),
    whileDraining: true,
  },
  async (deps, { accountId }, { store, name, value, ttlSeconds }): Promise<void> => {
    if (value.includes('\0')) throw new CarrickError('bad_request', 'A value cannot hold the character NUL')
    await deps.store.commit(putValue({ accountId, store, name }, value, deps.clock.now() + ttlSeconds * 1_000))
  },
)

/** Forgets a value. That there is none is no error. */
export const removeValue = operation(
  { permission: 'kv:write', input: Place, whileDraining: true },
  async (deps, { accountId }, place): Promise<void> => deps.store.commit(deleteValue({ accountId, ...place })),
)
