import { z } from 'zod'
import { CarrickError } from '../domain/errors.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import { checkAppName, mainEnvironment, splitAlias } from '../domain/names.ts'
import type { EnvironmentDefinition } from '../domain/revision.ts'
import { definitionOf, SentEnvironment } from './definition.ts'
import type { Deps } from './deps.ts'
import { operation } from './operation.ts'
import type { Attention } from './operation.ts'
import { refuseUnserved, Unserved } from './unserved.ts'

/** An `--env`: absent means main. No other environment can be made yet. */
export const EnvironmentName = z
  .string()
  .optional()
  .transform((name) => {
    if (name === undefined || name === '' || name === mainEnvironment) return mainEnvironment
    throw new CarrickError('environment_not_found', `Environment "${name}" not found: this server has only "main"`)
  })

/** Builds what a deploy is about to ask for. Answers at once when it is there already. */
export const buildEnvironment = operation(
  {
    permission: 'apps:write',
    input: z.object({
      environment: EnvironmentName,
      environments: z.array(SentEnvironment),
      ...Unserved.shape,
    }),
  },
  async (deps, _caller, { environments, ...rest }, attention): Promise<EnvironmentId> => {
    refuseUnserved(rest)
    const definition = definitionOf(environments)
    return build(deps, definition, { force: environments.some(({ force }) => force), attention })
  },
)

/** Builds an environment and passes on what the build says, line by line. */
export function build(
  deps: Pick<Deps, 'builder' | 'clock'>,
  definition: EnvironmentDefinition,
  { force, attention }: { force: boolean; attention: Attention },
): Promise<EnvironmentId> {
  const onLine = (message: string) => attention.say({ at: deps.clock.now(), source: 'builder', level: 'info', message })
  return deps.builder.build(definition, { force, onLine, signal: attention.signal })
}

/** Throws `invalid_app` unless an app of this environment can have this name, which carries the environment's suffix already. */
export function checkAlias({ name, environment }: { readonly name: string; readonly environment: string }): void {
  const { base, environment: suffix } = splitAlias(name)
  checkAppName(base)
  if (suffix === environment) return
  const where = environment === mainEnvironment ? 'without a suffix' : `as "${base}--${environment}"`
  throw new CarrickError(
    'invalid_app',
    `"${name}" cannot be the name of an app in environment "${environment}": send it ${where}`,
  )
}
