import { CarrickError } from '../domain/errors.ts'
import { mayCall, type Access, type Caller, type Permission } from '../domain/permissions.ts'

/** The caller, once it is known that the operation is open to it. Throws `unauthenticated` or `forbidden`. */
export function authorize(caller: Caller | undefined, access: Permission): Caller
export function authorize(caller: Caller | undefined, access: Access): Caller | undefined
export function authorize(caller: Caller | undefined, access: Access): Caller | undefined {
  if (mayCall(caller, access)) return caller
  if (caller === undefined) throw unauthenticated()
  // The words that stock clients look for, to tell a restricted key from a failure.
  throw new CarrickError(
    'forbidden',
    `Insufficient permissions: this needs "${access}", which the key ${caller.keyId} does not hold; use an ADMIN key`,
  )
}

/** What somebody without a valid key is told. */
export function unauthenticated(): CarrickError {
  return new CarrickError(
    'unauthenticated',
    'Authentication is required: send a valid key as `Authorization: Key <id>:<secret>`, or set FAL_KEY to `<id>:<secret>`',
  )
}
