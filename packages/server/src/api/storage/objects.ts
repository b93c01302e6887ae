import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { ObjectId } from '../../domain/ids.ts'
import { decisionFor, type Acl, type Part, type StoredObject, type Whole } from '../../domain/object.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { Moment } from '../../kit/clock.ts'
import { objectById, partsOf, setAcl } from '../../store/objects.ts'
import type { Deps } from '../deps.ts'
import { aclOf, SentAcl } from './lifecycle.ts'
import { operation } from '../operation.ts'

/** In seconds: 30 days (client-protocol.md §10.4). */
const longestSignature = 30 * 86_400

/** An object that can be read. */
export interface Readable extends StoredObject {
  readonly whole: Whole
}

/** What is asked for, and with what right. */
export interface Wanted {
  readonly id: ObjectId
  readonly name: string
  /** From the address; it opens what its object's owner has closed. */
  readonly signature?: string | undefined
}

/** What somebody may read under this name. Throws `object_not_found`, and `forbidden` where its owner or its signature says so. */
export async function objectFor(
  deps: Deps,
  reader: Caller | undefined,
  { id, name, signature }: Wanted,
): Promise<{ object: Readable; parts: readonly Part[] }> {
  const object = readable(await deps.store.read(objectById(id)), deps.clock.now())
  const known = object === undefined || object.name !== name ? 'hide' : decisionFor(object, reader)
  const right =
    known === 'allow' || signature === undefined ? undefined : await deps.uploadTokens.mayRead(signature, id)
  if (right === 'no longer')
    throw new CarrickError(
      'forbidden',
      'The time of this signed address is over: ask whoever gave it to you for another',
    )
  const decision = right === 'now' && object?.name === name ? 'allow' : known
  if (object === undefined || decision === 'hide') throw unknownObject()
  if (decision === 'forbid')
    throw new CarrickError('forbidden', 'Insufficient permissions: the owner of this file has not opened it to you')
  return { object, parts: await deps.store.read(partsOf(id)) }
}

/** Who may read an object of the caller's account. */
export const readAcl = operation(
  { permission: 'storage:upload', input: z.object({ url: z.string() }) },
  async (deps, caller, { url }): Promise<Acl> =>
    (await ownObject(deps, caller, url)).acl ?? { default: 'allow', rules: [] },
)

/** Says anew who may read an object of the caller's account. It counts from the next read on. */
export const changeAcl = operation(
  { permission: 'storage:upload', input: z.object({ url: z.string(), acl: SentAcl }) },
  async (deps, caller, { url, acl }): Promise<Acl> => {
    const { id } = await ownObject(deps, caller, url)
    const next = aclOf(acl)
    if (!(await deps.store.commit(setAcl(id, next)))) throw unknownObject()
    return next
  },
  { action: 'change_file_acl', about: ({ url, acl }) => ({ subject: idIn(url) ?? '', ...acl }) },
)

/** An address of an object of the caller's account, at which everybody may read it until a moment, whoever else may. */
export const signObject = operation(
  {
    permission: 'storage:upload',
    input: z.object({ url: z.string(), seconds: z.number().int().min(1).max(longestSignature) }),
    whileDraining: true,
  },
  async (deps, caller, { url, seconds }): Promise<Signed> => {
    const { id, name } = await ownObject(deps, caller, url)
    const until = deps.clock.now() + seconds * 1_000
    return { id, name, until, signature: await deps.uploadTokens.readingOf(id, until) }
  },
)

export interface Signed {
  readonly id: ObjectId
  readonly name: string
  readonly signature: string
  readonly until: Moment
}

async function ownObject(deps: Deps, caller: Caller, url: string): Promise<StoredObject> {
  const id = idIn(url)
  const object = id === undefined ? undefined : await deps.store.read(objectById(id))
  if (object?.accountId !== caller.accountId) throw unknownObject()
  return object
}

/** The id in the address of an object, whatever the server was called in it. */
function idIn(url: string): ObjectId | undefined {
  return /^\/storage\/files\/([\w-]+)\/[^/]+$/.exec(URL.parse(url)?.pathname ?? '')?.[1]
}

function readable(object: StoredObject | undefined, now: Moment): Readable | undefined {
  const { whole, dropAt } = object ?? {}
  if (object === undefined || whole === undefined || (dropAt !== undefined && dropAt <= now)) return undefined
  return { ...object, whole }
}

const unknownObject = () =>
  new CarrickError(
    'object_not_found',
    'There is no file under this address: it is wrong, or the file is not whole yet or has expired',
  )
