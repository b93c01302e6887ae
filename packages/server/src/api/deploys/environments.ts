import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { EnvironmentId } from '../../domain/ids.ts'
import { checkAppName, mainEnvironment, splitAlias } from '../../domain/names.ts'
import type { Caller } from '../../domain/permissions.ts'
import { scaleInCode } from '../../domain/scale.ts'
import { requireHardware } from '../../domain/sought-hardware.ts'
import { noteBegun, takeTurn } from '../../store/deploy-turns.ts'
import { environmentExists, environmentsOfAccount } from '../../store/environments.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { SentFile } from './app-files.ts'
import { askedEnvironment, buildAsked } from './prepared.ts'
import { ScaleInput } from './scale-input.ts'
import { SecretNames, SentEnvironment } from './sent-environment.ts'

/** An `--env`: absent means main. Whether there is such an environment is for `requireEnvironment` to say. */
export const EnvironmentName = z
  .string()
  .optional()
  .transform((name) => (name === undefined || name === '' ? mainEnvironment : name))

/** Throws `invalid_value` with the environments that there are unless this is one of the caller's account. */
export async function requireEnvironment(
  { store }: Pick<Deps, 'store'>,
  { accountId }: Caller,
  name: string,
): Promise<void> {
  if (await store.read(environmentExists(accountId, name))) return
  const there = (await store.read(environmentsOfAccount(accountId))).slice(0, mostNamed).map((each) => each.name)
  throw new CarrickError('invalid_value', `Environment "${name.slice(0, 128)}" not found: there is ${there.join(', ')}`)
}

/** No app has a longer name, so no deploy of one follows. */
const longestAlias = 128

/** So many that there are a refusal names. */
const mostNamed = 50

export const unknownEnvironment = (name: string) =>
  new CarrickError(
    'environment_not_found',
    `Environment "${name.slice(0, 128)}" not found: \`fal environments list\` shows those that there are`,
  )

/**
 * Builds what a deploy is about to ask for. Answers at once when it is there already. The deploy that follows has begun
 * here, however long this takes. Hardware that the deploy would be refused for is refused before the build.
 */
export const buildEnvironment = operation(
  {
    permission: 'apps:write',
    input: z.object({
      name: z.string().optional(),
      environment: EnvironmentName,
      environments: z.array(SentEnvironment),
      secrets: SecretNames.optional(),
      files: z.array(SentFile).max(20_000).default([]),
      asked: ScaleInput.optional(),
    }),
  },
  async (deps, caller, { name, asked: scale, ...wanted }, attention): Promise<EnvironmentId> => {
    const { environment } = wanted
    await requireEnvironment(deps, caller, environment)
    if (scale !== undefined) requireHardware(scaleInCode(scale), deps.hardware)
    const turn = await deps.store.commit(takeTurn(caller.accountId))
    const asked = await askedEnvironment(deps, caller, wanted)
    const { environmentId } = await buildAsked(deps, caller, wanted, asked, attention)
    const begun = { accountId: caller.accountId, name: name ?? '', environmentId }
    if (name !== undefined && name.length <= longestAlias)
      await deps.store.commit(noteBegun(begun, turn, deps.clock.now()))
    return environmentId
  },
)

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
