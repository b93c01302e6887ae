import { startEventSweep } from '../api/account/event-sweep.ts'
import { startFileSweep } from '../api/retention/file-sweep.ts'
import { startRetention } from '../api/retention/sweep.ts'
import type { RunnerRoles } from './runners.ts'
import type { Starting } from './starting.ts'

/** What takes away what is kept no longer. Answers what it took since the start. */
export function startSweeps({ foundation, closing }: Starting, { usageKeeper, runtime }: RunnerRoles) {
  const { config } = foundation
  const events = startEventSweep({ ...foundation, retentionDays: config.CARRICK_EVENT_RETENTION_DAYS })
  closing.defer(() => events.stop())
  const requests = startRetention({
    ...foundation,
    retentionDays: config.CARRICK_RETENTION_DAYS,
    count: () => usageKeeper.count(),
  })
  closing.defer(() => requests.stop())
  const files = startFileSweep({ ...foundation, environments: runtime.builder })
  closing.defer(() => files.stop())
  return () => ({ ...requests.swept(), ...files.swept() })
}
