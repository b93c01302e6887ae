import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { checkEnvironmentName, mainEnvironment } from '../../domain/names.ts'
import { addEnvironment, deleteEnvironment as deleteRow, environmentsOfAccount } from '../../store/environments.ts'
import type { Environment } from '../../store/environments.ts'
import { unknownEnvironment } from '../deploys/environments.ts'
import { operation } from '../operation.ts'

/** The account's environments, `main` first. */
export const listEnvironments = operation(
  { permission: 'environments:read', input: z.object({}) },
  (deps, caller): Promise<readonly Environment[]> => deps.store.read(environmentsOfAccount(caller.accountId)),
)

/** No store of text holds a zero byte, Postgres least of all. */
const Description = z
  .string()
  .max(1_000)
  .refine((text) => !text.includes('\0'), 'must not have a zero byte')

/** Makes an environment: a part of the account with apps and secrets of its own. */
export const createEnvironment = operation(
  {
    permission: 'environments:write',
    input: z.object({ name: z.string(), description: Description.optional() }),
  },
  async (deps, caller, { name, description }): Promise<Environment> => {
    checkEnvironmentName(name)
    const environment = { name, ...(description ? { description } : {}), createdAt: deps.clock.now() }
    const isNew = name !== mainEnvironment && (await deps.store.commit(addEnvironment(caller.accountId, environment)))
    if (isNew) return environment
    throw new CarrickError('environment_exists', `Environment "${name}" exists already`)
  },
  { action: 'create_environment', about: ({ name }) => ({ subject: name }) },
)

/** Deletes an environment with all its apps, their revisions and its secrets. Its runners end. */
export const deleteEnvironment = operation(
  { permission: 'environments:write', input: z.object({ name: z.string() }) },
  async (deps, caller, { name }): Promise<void> => {
    if (name === mainEnvironment) {
      throw new CarrickError('bad_request', `Environment "${mainEnvironment}" cannot be deleted: it always exists`)
    }
    if (!(await deps.store.commit(deleteRow(caller.accountId, name, deps.clock.now())))) throw unknownEnvironment(name)
    await deps.apps.refresh()
  },
  { action: 'delete_environment', about: ({ name }) => ({ subject: name }) },
)
