import { z } from 'zod'
import { CarrickError } from '../domain/errors.ts'
import type { EnvironmentDefinition } from '../domain/revision.ts'

/** An environment as deploys send it: keys by kind. */
export const SentEnvironment = z.object({
  kind: z.string(),
  configuration: z.record(z.string(), z.unknown()),
  force: z.boolean().default(false),
})
export type SentEnvironment = z.output<typeof SentEnvironment>

const requirement = z.string().trim().min(1)

const Virtualenv = z.strictObject({
  python_version: z.string().regex(/^3\.\d{1,2}$/, 'must be a minor version, such as "3.11"'),
  requirements: z.union([z.array(requirement), z.array(z.array(requirement))]).default([]),
  // Whatever the author names, uv installs: it reads the same requirements.
  resolver: z.enum(['uv', 'pip'], 'must be "uv", or absent').nullish(),
  compile_bytecode: z.boolean().nullish(),
})

/** The one environment of a deploy, checked. */
export function definitionOf(environments: readonly SentEnvironment[]): EnvironmentDefinition {
  const [sent, ...more] = environments
  if (sent === undefined || more.length > 0) {
    throw new CarrickError(
      'bad_request',
      `An app has exactly one environment; this one came with ${environments.length}`,
    )
  }
  if (sent.kind !== 'virtualenv' || 'image' in sent.configuration) {
    const kind = sent.kind === 'virtualenv' ? 'container' : sent.kind
    throw new CarrickError(
      'unimplemented',
      `This server does not build environments of the kind "${kind}" yet: use requirements (kind "virtualenv")`,
    )
  }
  const parsed = Virtualenv.safeParse(sent.configuration)
  if (!parsed.success)
    throw new CarrickError('bad_request', `The environment is not valid: ${z.prettifyError(parsed.error)}`)
  const { python_version, requirements, compile_bytecode } = parsed.data
  return {
    kind: 'virtualenv',
    pythonVersion: python_version,
    layers: layersOf(requirements),
    compileBytecode: compile_bytecode ?? true, // once here, instead of at every cold start
  }
}

/** A flat list is one layer. */
function layersOf(requirements: readonly string[] | readonly (readonly string[])[]): readonly (readonly string[])[] {
  const flat: string[] = []
  const layers: (readonly string[])[] = []
  for (const entry of requirements) {
    if (typeof entry === 'string') flat.push(entry)
    else if (entry.length > 0) layers.push(entry)
  }
  return flat.length > 0 ? [flat] : layers
}
