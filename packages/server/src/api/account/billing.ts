import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { reportUnits, runnerAppOfKey } from '../../store/reports.ts'
import { unitsIn } from '../../domain/usage.ts'
import type { AppId } from '../../domain/ids.ts'
import { runnersById } from '../../store/usage.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

/** A decimal number, as the SDK writes it: `12.50000000`. */
const Units = z.string().regex(/^\d{1,20}(\.\d{1,20})?$/, 'must be a decimal number in a text, such as "12.5"')

/**
 * Takes an app's word on what a request of its own was worth (changes-1.83 §6). The first word stands, so that it can be
 * sent again. Of a direct call it counts when the call's answer announced it, within an hour, and the server was not started
 * anew since; else `recorded` is false.
 */
export const reportBillableUnits = operation(
  { permission: 'apps:call', input: z.object({ requestId: z.string().max(200), units: Units }) },
  async (deps, caller, { requestId, units }): Promise<{ readonly recorded: boolean }> => {
    const appId = await deps.store.read(runnerAppOfKey(caller.keyId))
    if (appId === undefined) {
      const message = `Insufficient permissions: the key ${caller.keyId} is no runner's, and only an app can say what its requests are worth`
      throw new CarrickError('forbidden', message)
    }
    const isStored = await deps.store.commit(reportUnits(appId, requestId, units, deps.clock.now()))
    return { recorded: isStored || (await reportDirect(deps, appId, { requestId, units })) }
  },
)

async function reportDirect(
  { store, homes }: Deps,
  appId: AppId,
  { requestId, units }: { readonly requestId: string; readonly units: string },
): Promise<boolean> {
  const runnerId = homes.usage.awaits(requestId)
  if (runnerId === undefined) return false
  const [runner] = await store.read(runnersById([runnerId]))
  if (runner?.appId !== appId) return false
  homes.usage.report(requestId, unitsIn(units))
  return true
}
