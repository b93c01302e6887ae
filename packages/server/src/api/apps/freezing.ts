import { z } from 'zod'
import type { App } from '../../domain/app.ts'
import { checkedFreezeAfter, freezeAfterMs } from '../../domain/freezing.ts'
import { setFreezeAfter } from '../../store/apps.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { ownApp, unknownApp, Which } from './queues.ts'

/** When an app's idle runners are frozen. */
export interface FreezingState {
  /** As the app's owner says, in seconds, 0 for never; undefined where the installation's word counts. */
  readonly said: number | undefined
  /** What is in force, in seconds; undefined: never. */
  readonly inForce: number | undefined
  /** Why none is frozen on this server, whatever is set: half a sentence. */
  readonly impossible: string | undefined
}

/** After how much idleness an app's runners are frozen. */
export const freezing = operation(
  { permission: 'apps:read', input: Which },
  async (deps, caller, which): Promise<FreezingState> => stateOf(ownApp(deps, caller, which).freezeAfter, deps),
)

/** Changes it, at once and for good. Null: as the installation says. */
export const changeFreezing = operation(
  { permission: 'apps:write', input: Which.extend({ freezeAfter: z.number().nullable() }) },
  async (deps, caller, { freezeAfter, ...which }): Promise<FreezingState & { readonly before: App['freezeAfter'] }> => {
    const app = ownApp(deps, caller, which)
    const seconds = freezeAfter === null ? null : checkedFreezeAfter(freezeAfter)
    if (!(await deps.store.commit(setFreezeAfter(app.id, seconds, deps.clock.now())))) throw unknownApp(which)
    await deps.apps.refresh()
    return { ...stateOf(seconds ?? undefined, deps), before: app.freezeAfter }
  },
  {
    action: 'change_freezing',
    about: ({ name, freezeAfter }, done) => ({
      subject: name,
      freeze_after: freezeAfter,
      ...(done && { before: done.before ?? null }),
    }),
  },
)

function stateOf(said: number | undefined, { server }: Pick<Deps, 'server'>): FreezingState {
  const inForce = freezeAfterMs(said === undefined ? {} : { freezeAfter: said }, server.freezeAfterSeconds)
  return {
    said,
    inForce: inForce === undefined ? undefined : inForce / 1_000,
    impossible: server.withoutFreezing,
  }
}
