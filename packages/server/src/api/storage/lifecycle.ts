import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { decisions, type Acl } from '../../domain/object.ts'
import { checked } from '../operation.ts'

/** How long an upload is kept and who may read it. What is absent is as the server has it. */
export interface Lifecycle {
  /** Infinite for ever. */
  readonly lifetimeMs?: number
  readonly acl?: Acl
}

const decision = z.enum(decisions, `must be one of ${decisions.join(', ')}`)
export const SentAcl = z.object({
  default: decision.nullish(),
  rules: z
    .array(z.object({ user: z.string().max(200), decision }))
    .max(100)
    .nullish(),
})

const hundredYears = 100 * 366 * 86_400
const SentLifecycle = z.object({
  expiration_duration_seconds: z.number().positive().max(hundredYears).nullish(),
  initial_acl: SentAcl.nullish(),
})

/**
 * What the headers of an upload ask for: `X-Fal-Object-Lifecycle`, or the name that it has on requests. Throws
 * `bad_request` for what is not understood.
 */
export function lifecycleIn(header: (name: string) => string | undefined): Lifecycle {
  const name = ['x-fal-object-lifecycle', 'x-fal-object-lifecycle-preference'].find(
    (each) => header(each) !== undefined,
  )
  if (name === undefined) return {}
  const sent = checked(SentLifecycle.nullable(), parsed(name, header(name) ?? ''))
  if (sent === null) return {}
  const { expiration_duration_seconds: seconds, initial_acl: acl } = sent
  return {
    ...(seconds === undefined ? {} : { lifetimeMs: seconds === null ? Infinity : Math.ceil(seconds * 1_000) }),
    ...(acl ? { acl: aclOf(acl) } : {}),
  }
}

export function aclOf({ default: otherwise, rules }: z.output<typeof SentAcl>): Acl {
  return { default: otherwise ?? 'allow', rules: rules ?? [] }
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CarrickError('bad_request', `The header ${name} is not JSON`, { cause })
  }
}
