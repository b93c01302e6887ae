import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { operation } from '../operation.ts'

/** What stands behind a name of the protocol that this server does not serve yet: a sentence that names it. */
export const notServed = operation(
  { permission: 'account:read', input: z.object({ name: z.string() }) },
  async (_deps, _caller, { name }): Promise<never> => {
    throw new CarrickError('unimplemented', `This server does not serve ${name} yet`)
  },
)
