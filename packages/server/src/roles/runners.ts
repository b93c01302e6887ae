import { createHmac, randomBytes } from 'node:crypto'
import { startQuotaWatch } from '../api/files/quota-watch.ts'
import { startBudgetWatch } from '../api/usage/budget-watch.ts'
import { startUsageKeeper } from '../api/usage/keeper.ts'
import { recordPrices } from '../api/usage/prices.ts'
import { openRunResults } from '../blobs/run-results.ts'
import type { RunnerId } from '../domain/ids.ts'
import { openHardware } from '../hardware.ts'
import { Budgets } from '../home/budgets.ts'
import type { ImageRegistry } from '../registry/image-registry.ts'
import { builtOnDemand } from '../runtime/built-on-demand.ts'
import { openRuntime } from '../runtime/open-runtime.ts'
import { bootstrap } from '../runtime/runner-programs.ts'
import { createLaunch } from '../scheduler/launch.ts'
import { startScheduler } from '../scheduler/platform-scheduler.ts'
import type { Starting } from './starting.ts'
import { surroundings } from './surroundings.ts'

export type RunnerRoles = Awaited<ReturnType<typeof startRunners>>

/**
 * All that makes runners, watches over them and counts what they use. When it resolves no runner of a former process is left, so
 * nothing runs twice by accident.
 */
export async function startRunners({ foundation, addresses, closing }: Starting, registry: ImageRegistry) {
  const { config, log, folder } = foundation
  const finding = openHardware(config, log) // a driver may take seconds to answer: the rest does not wait for it
  const runtime = await openRuntime(foundation, { ...addresses, registry }, closing)
  const { backend, builder } = runtime
  const usageKeeper = startUsageKeeper({ ...foundation, meter: foundation.homes.usage })
  closing.defer(() => usageKeeper.stop())

  const results = await openRunResults({ folder: folder.results, limit: config.CARRICK_MESSAGE_LIMIT })
  const jobKeyOf = jobKeys()
  const onDemand = builtOnDemand(foundation, builder)
  const { withoutMounts } = backend
  const launch = createLaunch({
    ...foundation,
    environments: onDemand.environments,
    withoutMounts,
    results,
    bootstrap,
    jobKeyOf,
    surroundings: () => surroundings(foundation, addresses),
  })
  const hardware = await finding
  const budgets = new Budgets()
  await recordPrices(foundation, [...hardware.types.values()])
  const scheduler = await startScheduler({
    ...foundation,
    backend,
    launch,
    hardware,
    budgets,
    everyMs: config.CARRICK_RECONCILE_EVERY_MS,
    freezeAfterSeconds: config.CARRICK_FREEZE_AFTER,
  })
  const quotaWatch = startQuotaWatch({ ...foundation, runners: scheduler, withoutMounts })
  closing.defer(() => quotaWatch.stop())
  const budgetWatch = startBudgetWatch({ ...foundation, budgets, usageKeeper, currency: config.CARRICK_CURRENCY })
  closing.defer(() => budgetWatch.stop())
  return { runtime, hardware, scheduler, budgets, usageKeeper, results, jobKeyOf, standIns: onDemand.standIns }
}

/** The word that the platform shows to a runner. Every runner of a former process is gone, so they may be others at each start. */
function jobKeys(): (id: RunnerId) => string {
  const secret = randomBytes(32)
  return (id) => createHmac('sha256', secret).update(id).digest('hex')
}
