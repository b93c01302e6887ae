import { createHash } from 'node:crypto'
import { CarrickError } from '../domain/errors.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import type { EnvironmentDefinition } from '../domain/revision.ts'
import { checkRequirements } from './requirements.ts'

/** Counts up when the same definition begins to mean another environment. */
const builderVersion = 1

/** What pickled code needs beyond its own requirements: the pickle's reader, a module that it refers to, and what pickles tracebacks. */
export const ourPackages: readonly string[] = ['cloudpickle>=3,<3.2', 'grpcio', 'tblib>=3,<3.2']

const mostLayers = 100

/** The definition without comments and empty layers. Throws `bad_request` when something in it is refused. */
export function checkDefinition(definition: EnvironmentDefinition): EnvironmentDefinition {
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
  const layers = definition.layers.map(checkRequirements).filter((layer) => layer.length > 0)
  return { ...definition, layers }
}

/** Equal for definitions that give the same environment. The order counts, of layers and within them. */
export function environmentIdOf(definition: EnvironmentDefinition): EnvironmentId {
  const { kind, pythonVersion, compileBytecode, layers } = checkDefinition(definition)
  const described = JSON.stringify([builderVersion, kind, pythonVersion, compileBytecode, ourPackages, layers])
  return createHash('sha256').update(described).digest('hex')
}
