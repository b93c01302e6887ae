import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { complaint } from '../complaint.ts'
import { mostAttempts } from '../../domain/retry.ts'
import type { HealthCheck, RetryBudgets, RevisionSpec } from '../../domain/revision.ts'

const seconds = z.number().int().min(0).max(86_400)

/** What a deploy says about failures: health checks, retries, the end of a runner. */
export const Resilience = z.object({
  healthCheck: z
    .object({
      path: z.string().startsWith('/'),
      /** Absent: POST, and GET where an image serves by itself. */
      method: z.enum(['GET', 'POST']).optional(),
      startPeriodSeconds: seconds.default(30),
      timeoutSeconds: seconds.min(1).default(5),
      failureThreshold: z.number().int().min(1).default(3),
      callRegularly: z.boolean().default(true),
      allowOnBusy: z.boolean().optional(),
    })
    .optional(),
  skipRetryConditions: z.array(z.enum(['timeout', 'client_error', 'server_error', 'connection_error'])).default([]),
  retryConfig: z.string().optional(),
  terminationGracePeriodSeconds: seconds.default(5),
})

const budget = z
  .strictObject({
    retries: z
      .number()
      .int()
      .min(0)
      .max(mostAttempts - 1),
  })
  .optional()
const RetryConfig = z.strictObject({ timeout: budget, server_error: budget, connection_error: budget })

type Part = Pick<RevisionSpec, 'healthCheck' | 'skipRetryConditions' | 'retryBudgets' | 'terminationGracePeriodSeconds'>

export function resilienceOf(input: z.output<typeof Resilience>, method: HealthCheck['method']): Part {
  return {
    ...(input.healthCheck === undefined ? {} : { healthCheck: checkOf(input.healthCheck, method) }),
    // Client errors are never repeated anyway.
    skipRetryConditions: input.skipRetryConditions.filter((condition) => condition !== 'client_error'),
    retryBudgets: input.retryConfig === undefined ? {} : budgetsOf(input.retryConfig),
    terminationGracePeriodSeconds: input.terminationGracePeriodSeconds,
  }
}

type SentCheck = NonNullable<z.output<typeof Resilience>['healthCheck']>

function checkOf({ allowOnBusy, method, ...sent }: SentCheck, usual: HealthCheck['method']): HealthCheck {
  const check = { ...sent, method: method ?? usual }
  return allowOnBusy === undefined ? check : { ...check, allowOnBusy }
}

function budgetsOf(text: string): RetryBudgets {
  const parsed = z.preprocess(readJson, RetryConfig).safeParse(text)
  if (!parsed.success) {
    throw new CarrickError('bad_request', `retry_config is not valid: ${parsed.error.issues.map(complaint).join('; ')}`)
  }
  const given = Object.entries(parsed.data).filter(([, of]) => of !== undefined)
  return Object.fromEntries(given.map(([condition, of]) => [condition, of?.retries]))
}

function readJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return undefined
  }
}
