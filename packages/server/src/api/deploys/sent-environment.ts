import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { complaint } from '../complaint.ts'

/** An environment as deploys send it: keys by kind. */
export const SentEnvironment = z.object({
  kind: z.string(),
  configuration: z.record(z.string(), z.unknown()),
  force: z.boolean().default(false),
})
export type SentEnvironment = z.output<typeof SentEnvironment>

/** The secrets that an app sees. */
export const SecretNames = z.array(z.string()).max(1_000)

export const PythonVersion = z.string().regex(/^3\.\d{1,2}$/, 'must be a minor version, such as "3.11"')

const requirement = z.string().trim().min(1)
export const Requirements = z.union([z.array(requirement), z.array(z.array(requirement))]).default([])

/** What was sent, once it is what the schema asks for. Throws `bad_request` with every complaint. */
export function parsedBy<Schema extends z.ZodType>(schema: Schema, sent: unknown): z.output<Schema> {
  const parsed = schema.safeParse(sent)
  if (parsed.success) return parsed.data
  const complaints = parsed.error.issues.map(complaint).join('; ')
  throw new CarrickError('bad_request', `The environment is not valid: ${complaints}`)
}

/** A flat list is one layer. */
export function layersOf(
  requirements: readonly string[] | readonly (readonly string[])[],
): readonly (readonly string[])[] {
  const flat: string[] = []
  const layers: (readonly string[])[] = []
  for (const entry of requirements) {
    if (typeof entry === 'string') flat.push(entry)
    else if (entry.length > 0) layers.push(entry)
  }
  return flat.length > 0 ? [flat] : layers
}
