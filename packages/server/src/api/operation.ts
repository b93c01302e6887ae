import { z } from 'zod'
import { authorize } from '../access/authorize.ts'
import type { App } from '../domain/app.ts'
import { CarrickError } from '../domain/errors.ts'
import type { Caller, Permission } from '../domain/permissions.ts'
import type { LogLine } from '../logs/log-store.ts'
import { recorded, type Audit } from './audit.ts'
import { complaint } from './complaint.ts'
import type { Deps } from './deps.ts'

/** What an operation says while it works. */
export type Progress = Pick<LogLine, 'at' | 'source' | 'level' | 'message'>

/** The caller's end of an operation. */
export interface Attention {
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  readonly say: (line: Progress) => void
  /** Called once, by operations that make an app for their caller alone, when it has an address. */
  readonly reached?: (app: Pick<App, 'owner' | 'name'>) => void
}

/** Something the control plane does: the permission it takes, the input it checks, and what it does. */
export interface Operation<Input, Output> {
  readonly permission: Permission
  /** Whether it leaves an entry in the account's record of changes. */
  readonly audited: boolean
  (deps: Deps, caller: Caller | undefined, input: Input, attention: Attention): Promise<Output>
}

/** On what an operation runs. */
export interface Terms<Schema extends z.ZodType> {
  readonly permission: Permission
  readonly input: Schema
  /** Whether it goes on while the server ends: what runners need to finish their last requests does. */
  readonly whileDraining?: boolean
}

/**
 * An operation that runs only for a caller who may, and only with input that its schema accepts. One that changes
 * something names what stands about it in the account's record of changes.
 */
export function operation<Schema extends z.ZodType, Output>(
  { permission, input, whileDraining = false }: Terms<Schema>,
  run: (deps: Deps, caller: Caller, input: z.output<Schema>, attention: Attention) => Promise<Output>,
  audit?: Audit<z.output<Schema>, Output>,
): Operation<z.input<Schema>, Output> {
  return Object.assign(
    async (deps: Deps, caller: Caller | undefined, given: z.input<Schema>, attention: Attention) => {
      const allowed = authorize(caller, permission)
      if (!whileDraining && deps.isDraining())
        throw new CarrickError('draining', 'This server is shutting down. Try again when it is back')
      const asked = checked(input, given)
      const work = () => run(deps, allowed, asked, attention)
      return audit === undefined ? work() : recorded({ deps, caller: allowed, audit, input: asked }, work)
    },
    { permission, audited: audit !== undefined },
  )
}

/** What was sent, once it is known to be what the schema asks for. Throws `bad_request` with every complaint. */
export function checked<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new CarrickError('bad_request', parsed.error.issues.map(complaint).join('; '))
}
