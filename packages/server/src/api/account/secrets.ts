import { z } from 'zod'
import { checkSecret } from '../../domain/secret.ts'
import { deleteSecret, secretsOf, type StoredSecret } from '../../store/secrets.ts'
import { unknownSecret } from '../deploys/allowed-secrets.ts'
import { EnvironmentName, requireEnvironment, unknownEnvironment } from '../deploys/environments.ts'
import { operation } from '../operation.ts'

/** What is told of a secret. Its value is told to nobody. */
export type SecretView = Pick<StoredSecret, 'name' | 'environment' | 'createdAt' | 'defaultExposed'>

/** The names of an environment's secrets. */
export const listSecrets = operation(
  { permission: 'secrets:read', input: z.object({ environment: EnvironmentName }) },
  async (deps, caller, { environment }): Promise<readonly SecretView[]> => {
    await requireEnvironment(deps, caller, environment)
    return deps.store.read(secretsOf({ accountId: caller.accountId, environment }))
  },
)

/** Sets a secret, or unsets it when there is no value. Runners that start from now on see the change. */
export const setSecret = operation(
  {
    permission: 'secrets:write',
    input: z.object({
      name: z.string(),
      value: z.string().optional(),
      environment: EnvironmentName,
      /** Absent: as it was; a new one is seen by every app. */
      defaultExposed: z.boolean().optional(),
    }),
  },
  async (deps, caller, { name, value, environment, defaultExposed }): Promise<void> => {
    await requireEnvironment(deps, caller, environment)
    const scope = { accountId: caller.accountId, environment }
    if (value === undefined) {
      if (!(await deps.store.commit(deleteSecret(scope, name)))) throw unknownSecret([name], environment)
      return
    }
    checkSecret(name, value)
    const isKept = await deps.store.commit(deps.vault.keep(scope, name, value, defaultExposed))
    if (!isKept) throw unknownEnvironment(environment)
  },
  {
    action: 'set_secret',
    about: ({ name, value, environment, defaultExposed }) => ({
      subject: name,
      environment,
      unset: value === undefined,
      defaultExposed,
    }),
  },
)
