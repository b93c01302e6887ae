import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { reportUnits, runnerAppOfKey } from '../../store/reports.ts'
import { operation } from '../operation.ts'

/** A decimal number, as the SDK writes it: `12.50000000`. */
const Units = z.string().regex(/^\d{1,20}(\.\d{1,20})?$/, 'must be a decimal number in a text, such as "12.5"')

/**
 * Takes an app's word on what a request of its own was worth (changes-1.83 §6). The first word stands, so that it can be
 * sent again. A direct call has no record that it could be noted on: then `recorded` is false.
 */
export const reportBillableUnits = operation(
  { permission: 'apps:call', input: z.object({ requestId: z.string().max(200), units: Units }) },
  async (deps, caller, { requestId, units }): Promise<{ readonly recorded: boolean }> => {
    const appId = await deps.store.read(runnerAppOfKey(caller.keyId))
    if (appId === undefined) {
      const message = `Insufficient permissions: the key ${caller.keyId} is no runner's, and only an app can say what its requests are worth`
      throw new CarrickError('forbidden', message)
    }
    return { recorded: await deps.store.commit(reportUnits(appId, requestId, units, deps.clock.now())) }
  },
)
