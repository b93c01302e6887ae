import { join } from 'node:path'
import type { RunnerImage, RunnerSpec } from '../backends/backend.ts'
import { CarrickError } from '../domain/errors.ts'
import type { BuiltEnvironment, EnvironmentDefinition, Revision } from '../domain/revision.ts'

/** What a runner runs, in what, and what of the platform it needs for that. */
export interface Program {
  readonly command: readonly string[]
  readonly image?: RunnerImage
  readonly variables: Readonly<Record<string, string>>
  readonly sees: NonNullable<RunnerSpec['sees']>
}

/** The bootstrap in the environment's interpreter, or what the image says where that serves by itself. */
export function programOf({ spec }: Pick<Revision, 'spec'>, built: BuiltEnvironment, bootstrap: string): Program {
  const { environment } = spec
  if ('serves' in spec.callable) return ownServer(environment, built)
  const python = pythonOf(built)
  return {
    command: [python, join(bootstrap, '__main__.py')],
    ...(built.kind === 'image' ? { image: { reference: built.reference } } : {}),
    variables: {
      PYTHONUNBUFFERED: '1',
      ...(environment.pythonVersion === undefined ? {} : { CARRICK_PYTHON: environment.pythonVersion }),
      ...(built.kind === 'folder' ? { [prefixOf(environment)]: built.path } : {}),
    },
    sees: built.kind === 'folder' ? [built.path, bootstrap] : [bootstrap],
  }
}

function ownServer(environment: EnvironmentDefinition, built: BuiltEnvironment): Program {
  if (built.kind !== 'image' || environment.kind !== 'container') {
    throw new CarrickError('unimplemented', 'This app is an image that serves by itself: it needs --backend docker')
  }
  const { entrypoint, cmd } = environment
  const image = {
    reference: built.reference,
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(cmd === undefined ? {} : { cmd }),
  }
  return { command: [], image, variables: {}, sees: [] }
}

function pythonOf(built: BuiltEnvironment): string {
  if (built.kind === 'folder') return join(built.path, 'bin', 'python')
  if (built.python !== undefined) return built.python
  throw new CarrickError(
    'bad_request',
    'There is no Python in this image, and the code of this app needs one: deploy it with an image that has it',
  )
}

const prefixOf = ({ kind }: EnvironmentDefinition): string => (kind === 'conda' ? 'CONDA_PREFIX' : 'VIRTUAL_ENV')
