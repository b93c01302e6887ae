import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { App } from '../../domain/app.ts'
import type { Caller } from '../../domain/permissions.ts'
import { allAccounts } from '../../store/accounts.ts'
import { waitingByCaller } from '../../store/requests.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

/** An app by its address, whose owner must be the caller. */
export const Which = z.object({ owner: z.string(), name: z.string() })

export interface QueueView {
  readonly size: number
  /** How many are whose: by nickname, or by the id that the app is told. */
  readonly byUser?: Readonly<Record<string, number>>
}

/** How many requests wait for an app. */
export const queueSize = operation(
  { permission: 'apps:read', input: Which.extend({ byUser: z.boolean().default(false) }) },
  async (deps, caller, { byUser, ...which }): Promise<QueueView> => {
    const { id } = ownApp(deps, caller, which)
    if (!byUser) return { size: deps.homes.of(id).queueLength }
    const [waiting, accounts] = await Promise.all([
      deps.store.read(waitingByCaller(id)),
      deps.store.read(allAccounts()),
    ])
    const names = new Map(accounts.map((account) => [account.id, account.nickname]))
    return {
      size: waiting.reduce((sum, { count }) => sum + count, 0),
      byUser: Object.fromEntries(waiting.map(({ callerId, count }) => [names.get(callerId) ?? callerId, count])),
    }
  },
)

/** Cancels all that waits for an app, or what one caller has there: by nickname, or by the id that the app is told. */
export const flushQueue = operation(
  { permission: 'apps:write', input: Which.extend({ user: z.string().optional() }) },
  async (deps, caller, { user, ...which }): Promise<number> => {
    const { id } = ownApp(deps, caller, which)
    if (user === undefined) return deps.queues.flush(id)
    const accounts = await deps.store.read(allAccounts())
    return deps.queues.flush(id, accounts.find(({ nickname }) => nickname === user)?.id ?? user)
  },
  { action: 'flush_queue', about: ({ name, user }, cancelled) => ({ subject: name, user, cancelled }) },
)

/** The app, if it is the caller's own. To everybody else it does not exist. */
export function ownApp({ apps }: Pick<Deps, 'apps'>, caller: Caller, { owner, name }: z.output<typeof Which>): App {
  const known = apps.find(owner, name)
  if (known?.app.accountId === caller.accountId) return known.app
  throw unknownApp({ owner, name })
}

export function unknownApp({ owner, name }: z.output<typeof Which>): CarrickError {
  const hint = '`fal apps list` shows those that there are'
  return new CarrickError('app_not_found', `Application "${owner}/${name}" not found: ${hint}`)
}
