import type { Moment } from '../kit/clock.ts'
import { CarrickError } from './errors.ts'
import type { AccountId, KeyId, ObjectId } from './ids.ts'
import type { Caller } from './permissions.ts'

/** What somebody uploaded, or is about to: bytes under an address that cannot be guessed. */
export interface StoredObject {
  readonly id: ObjectId
  readonly accountId: AccountId
  readonly name: string
  readonly contentType: string
  /** Absent: everybody who has its address may read it. */
  readonly acl?: Acl | undefined
  /** How long it is kept from the moment at which it is whole. Absent: for ever. */
  readonly lifetimeMs?: number | undefined
  /** When it goes away: a whole one at its end, one that is not whole when its upload has taken too long. */
  readonly dropAt?: Moment | undefined
  /** Absent while it is not whole. */
  readonly whole?: Whole | undefined
  /** Counts the parts that have come, so that nothing is put together from parts that changed meanwhile. */
  readonly version: number
}

export interface Whole {
  readonly length: number
  /** Without quotes. */
  readonly etag: string
}

/** A piece of an object, which is a file of its own. */
export interface Part extends Whole {
  readonly number: number
  readonly file: string
}

/** The address by which something is uploaded names both: it works no longer than the key that asked for it. */
export interface Ticket {
  readonly objectId: ObjectId
  readonly keyId: KeyId
}

/** `forbid` says that it is not for you, `hide` that there is no such thing. */
export const decisions = ['allow', 'forbid', 'hide'] as const
export type Decision = (typeof decisions)[number]

/** Who may read an object. The first rule about a user decides, else the default. */
export interface Acl {
  readonly default: Decision
  readonly rules: readonly { readonly user: string; readonly decision: Decision }[]
}

/** Whether this reader may read it. Its owner always may. */
export function decisionFor({ acl, accountId }: StoredObject, reader: Caller | undefined): Decision {
  if (acl === undefined || reader?.accountId === accountId) return 'allow'
  const rule = acl.rules.find(({ user }) => reader !== undefined && [reader.nickname, reader.accountId].includes(user))
  return rule?.decision ?? acl.default
}

const longestName = 200

/** The last segment of what a client calls its file, as it can stand in an address and a header. */
export function objectName(sent: string | undefined): string {
  const last = (sent ?? '').split(/[/\\]/).at(-1) ?? ''
  // Half a surrogate pair cannot be encoded in an address: neither what was sent nor what is cut may hold one.
  const name = last
    .slice(-longestName)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\uFFFD]/gu, '')
  return /^\.*$/.test(name) ? 'file' : name
}

const unknownType = 'application/octet-stream'
const token = "[\\w!#$&^.+'*`|~%-]+"
const typeForm = new RegExp(
  `^${token}/${token}(?:\\s*;\\s*${token}=(?:${token}|"[^"\\\\\\u0000-\\u001f\\u007f-\\uffff]*"))*$`,
)

/** A content type that can stand in a header. What is none is served as bytes of no kind. */
export function objectType(sent: string | undefined): string {
  const type = (sent ?? '').trim()
  return type.length <= 200 && typeForm.test(type) ? type : unknownType
}

const passive = /^(?:image\/(?!svg)|video\/|audio\/|text\/plain\b|application\/(?:json|pdf)\b)/i

/** Whether a browser that opens it runs nothing of it. */
export function isPassive(contentType: string): boolean {
  return passive.test(contentType)
}

/** Some bytes of a file, first and last included. */
export interface Slice {
  readonly file: string
  readonly start: number
  readonly end: number
}

/** Where the bytes from `start` to `end`, both included, are in parts that stand in order. */
export function slicesOf(
  parts: readonly Part[],
  { start, end }: { readonly start: number; readonly end: number },
): Slice[] {
  let before = 0
  return parts.flatMap(({ file, length }) => {
    const from = Math.max(0, start - before)
    const to = Math.min(length - 1, end - before)
    before += length
    return from > to ? [] : [{ file, start: from, end: to }]
  })
}

/** What a client says of a part when it has sent them all. */
export interface ListedPart {
  readonly number: number
  readonly etag: string
}

/** The parts that make up the object, in order, and those that were not listed. Throws `bad_request` for a list that does not fit. */
export function chosenParts(parts: readonly Part[], listed: readonly ListedPart[]) {
  if (listed.length === 0 && parts.length > 0)
    throw new CarrickError('bad_request', `No part is listed, and ${parts.length} were uploaded`)
  const left = new Map(parts.map((part) => [part.number, part]))
  const kept = listed.toSorted((one, other) => one.number - other.number).map((each) => taken(left, each))
  return { kept, dropped: [...left.values()] }
}

/** The part that is listed, which is left for no second one. */
function taken(left: Map<number, Part>, { number, etag }: ListedPart): Part {
  const part = left.get(number)
  if (part === undefined)
    throw new CarrickError('bad_request', `Part ${number} is listed and was not uploaded, or is listed twice`)
  if (part.etag !== bareEtag(etag)) {
    throw new CarrickError(
      'bad_request',
      `Part ${number} has the etag "${part.etag}", not the one that is listed: upload it again`,
    )
  }
  left.delete(number)
  return part
}

/** `W/"abc"` and `"abc"` are `abc`. */
export const bareEtag = (etag: string): string => etag.trim().replace(/^(?:W\/)?"(.*)"$/, '$1')
