import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { EnvironmentDefinition } from '../../domain/revision.ts'
import { condaOf } from './conda-definition.ts'
import { layersOf, parsedBy, PythonVersion, Requirements, type SentEnvironment } from './sent-environment.ts'

const Virtualenv = z.strictObject({
  python_version: PythonVersion,
  requirements: Requirements,
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
  if (sent.kind === 'conda') return condaOf(sent.configuration)
  if (sent.kind !== 'virtualenv' || 'image' in sent.configuration) {
    const kind = sent.kind === 'virtualenv' ? 'container' : sent.kind
    throw new CarrickError(
      'unimplemented',
      `This server does not build environments of the kind "${kind}" yet: use requirements (kind "virtualenv")`,
    )
  }
  const { python_version, requirements, compile_bytecode } = parsedBy(Virtualenv, sent.configuration)
  return {
    kind: 'virtualenv',
    pythonVersion: python_version,
    layers: layersOf(requirements),
    compileBytecode: compile_bytecode ?? true, // once here, instead of at every cold start
  }
}
