import { createHash } from 'node:crypto'
import { CarrickError } from '../domain/errors.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import type { FolderDefinition } from '../domain/revision.ts'
import type { SecretValues } from '../domain/secret.ts'
import { checkConda } from './conda-specs.ts'
import { usedSecrets } from './filling.ts'
import { checkRequirements } from './requirements.ts'

/** Counts up when the same definition begins to mean another environment. */
const builderVersion = 1

/** What pickled code needs beyond its own requirements: the pickle's reader, a module that it refers to, and what pickles tracebacks. */
export const ourPackages: readonly string[] = ['cloudpickle>=3,<3.2', 'grpcio', 'tblib>=3,<3.2']

const mostLayers = 100

/**
 * The definition without comments and empty layers, `${NAME}` still in it. Throws `bad_request` when something in it is
 * refused, also when what a secret makes of it would be.
 */
export function checkDefinition(definition: FolderDefinition, secrets: SecretValues = {}): FolderDefinition {
  if (!/^3\.\d{1,2}$/.test(definition.pythonVersion)) {
    const asked = JSON.stringify(definition.pythonVersion)
    throw new CarrickError('bad_request', `The Python version ${asked} is not a minor version, such as "3.11".`)
  }
  if (definition.layers.length > mostLayers) {
    throw new CarrickError(
      'bad_request',
      `The environment has ${definition.layers.length} layers; at most ${mostLayers} are taken.`,
    )
  }
  if (definition.kind === 'conda') checkConda(definition)
  const layers = definition.layers.map((layer) => checkRequirements(layer, secrets)).filter((layer) => layer.length > 0)
  return { ...definition, layers }
}

/** The secrets of a build, and how one is told from another without being shown. */
export interface Filling {
  readonly secrets: SecretValues
  readonly fingerprint: (value: string) => string
}

const nothing: Filling = { secrets: {}, fingerprint: () => '' }

/**
 * Equal for definitions that give the same environment. The order counts, of layers and within them. A secret that a
 * requirement names counts by its fingerprint.
 */
export function environmentIdOf(
  definition: FolderDefinition,
  { secrets, fingerprint }: Filling = nothing,
): EnvironmentId {
  const checked = checkDefinition(definition, secrets)
  const { kind, pythonVersion, compileBytecode, layers } = checked
  const used = Object.entries(usedSecrets(layers, secrets)).map(([name, value]) => [name, fingerprint(value)])
  const described = [builderVersion, kind, pythonVersion, compileBytecode, ourPackages, layers]
  if (checked.kind === 'conda') described.push(checked.channels, checked.packages)
  if (used.length > 0) described.push(used)
  return createHash('sha256').update(JSON.stringify(described)).digest('hex')
}
