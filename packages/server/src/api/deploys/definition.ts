import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { FolderDefinition, ImageCredentials, EnvironmentDefinition } from '../../domain/revision.ts'
import { condaOf } from './conda-definition.ts'
import { containerOf, type BuildContext } from './container-definition.ts'
import { noCredentials } from './image-credentials.ts'
import { layersOf, parsedBy, PythonVersion, Requirements, type SentEnvironment } from './sent-environment.ts'

const Virtualenv = z.strictObject({
  python_version: PythonVersion,
  requirements: Requirements,
  // Whatever the author names, uv installs: it reads the same requirements.
  resolver: z.enum(['uv', 'pip'], 'must be "uv", or absent').nullish(),
  compile_bytecode: z.boolean().nullish(),
})

/** The one environment of a deploy, checked, and what of it is stored nowhere. */
export interface AskedEnvironment {
  readonly definition: EnvironmentDefinition
  readonly credentials: ImageCredentials
  /** Whether it runs without any code of ours where none comes with it. */
  readonly servesItself: boolean
}

/** The environment that was sent. Throws `bad_request` unless it is exactly one. */
export function oneOf(environments: readonly SentEnvironment[]): SentEnvironment {
  const [sent, ...more] = environments
  if (sent !== undefined && more.length === 0) return sent
  throw new CarrickError('bad_request', `An app has exactly one environment; this one came with ${environments.length}`)
}

/** Whether it is an image: also where an app of pyproject.toml says so and its client does not. */
export function isContainer({ kind, configuration }: SentEnvironment): boolean {
  return kind === 'container' || (kind === 'virtualenv' && 'image' in configuration)
}

/** The environment of a deploy, checked. Files are what an image is made of, and of nothing else. */
export function definitionOf(sent: SentEnvironment, from: BuildContext): AskedEnvironment {
  if (isContainer(sent)) return containerOf(sent.configuration, from)
  return { definition: folderDefinitionOf(sent), credentials: noCredentials, servesItself: false }
}

function folderDefinitionOf({ kind, configuration }: SentEnvironment): FolderDefinition {
  if (kind === 'conda') return condaOf(configuration)
  if (kind !== 'virtualenv') {
    const known = '"virtualenv", "conda" and "container"'
    throw new CarrickError('unimplemented', `There are no environments of the kind "${kind}" here: ${known} are`)
  }
  const { python_version, requirements, compile_bytecode } = parsedBy(Virtualenv, configuration)
  return {
    kind,
    pythonVersion: python_version,
    layers: layersOf(requirements),
    compileBytecode: compile_bytecode ?? true, // once here, instead of at every cold start
  }
}
