import { z } from 'zod'
import { changedQueue, type QueueSettings } from '../../domain/queue-settings.ts'
import { queueOfApp, updateQueue } from '../../store/apps.ts'
import { operation } from '../operation.ts'
import { ownApp, unknownApp, Which } from './queues.ts'

/** Settings as somebody changes them; what cannot be is refused by `domain/queue-settings.ts`. */
const QueueInput = z.object({
  paused: z.boolean().optional(),
  fair_share: z.boolean().optional(),
  weights: z.record(z.string(), z.number().nullable()).optional(),
  retention_days: z.number().nullable().optional(),
})

/** An app's queue: what its owner set of it, and how many requests wait. */
export interface QueueState {
  readonly settings: QueueSettings
  readonly size: number
}

/** What is set of an app's queue. */
export const queueSettings = operation(
  { permission: 'apps:read', input: Which },
  async (deps, caller, which): Promise<QueueState> => {
    const app = ownApp(deps, caller, which)
    return { settings: app.queue, size: deps.homes.of(app.id).queueLength }
  },
)

/** Changes what is set of an app's queue, at once and for good; what is left out stays. */
export const changeQueue = operation(
  { permission: 'apps:write', input: Which.extend({ changes: QueueInput }) },
  async (deps, caller, { changes, ...which }): Promise<QueueState & { readonly before: QueueSettings }> => {
    const { id } = ownApp(deps, caller, which)
    for (;;) {
      const was = await deps.store.read(queueOfApp(id))
      if (was === undefined) throw unknownApp(which)
      const settings = changedQueue(was.queue, changes)
      if (!(await deps.store.commit(updateQueue(id, was, settings, deps.clock.now())))) continue
      await deps.apps.refresh()
      return { settings, size: deps.homes.of(id).queueLength, before: was.queue }
    }
  },
  {
    action: 'change_queue',
    about: ({ name, changes }, done) => ({
      subject: name,
      changes,
      ...(done && { before: done.before, after: done.settings }),
    }),
  },
)
