import { expect, test } from 'vitest'
import { monthOf } from '../../domain/budget.ts'
import { hourMs } from '../../domain/usage.ts'
import { Budgets } from '../../home/budgets.ts'
import { addPrices } from '../../store/machine-prices.ts'
import { registerRevision } from '../../store/next-revisions.ts'
import { addRunner } from '../../store/runners.ts'
import { openTestControl } from '../../testing/control.ts'
import { testSpec } from '../../testing/scheduler.ts'
import { BudgetWatch } from './budget-watch.ts'

const noon = 500_000 * hourMs
const placement = { machineId: 'here', machineType: 'XS', cpus: 1, memoryBytes: 1, gpus: [] }

test('what an account has spent this month is counted, with runners that live, and one word is said at its limit', async () => {
  let now = noon
  await using control = await openTestControl({ clock: { now: () => now } })
  const { store, deps } = control
  const spec = testSpec({})
  const app = { id: 'app-1', accountId: 'account-ann', name: 'hello', environment: 'main' }
  const next = { revisionId: 'revision-1', strategy: 'recreate', scale: spec.scale, basedOn: spec.scale, now } as const
  await store.commit(registerRevision(app, spec, { ...next, authMode: 'private' }))
  await deps.apps.refresh()
  const of = { appId: 'app-1', accountId: 'account-ann', revisionId: 'revision-1', machineType: 'XS', createdAt: noon }
  await store.commit(
    addRunner({ id: 'runner-1', ...of, placement, state: 'setup', startedAt: noon, readyBy: noon + 1 }),
  )
  await store.commit(addPrices([{ machineType: 'XS', since: noon, perSecond: 0.1, gpus: 0 }]))
  const budgets = new Budgets()
  const said: string[] = []
  const logs = { append: ({ message }: { message: string }) => void said.push(message) }
  const watch = new BudgetWatch({ ...deps, budgets, logs, currency: 'EUR' })
  const { signal } = new AbortController()

  now += 10_000
  await watch.pass(signal)
  expect(budgets.of('account-ann')).toBeUndefined()

  const patch = (body: object, key?: string) =>
    control.rest('/v1/accounts/ann', { method: 'PATCH', body: JSON.stringify(body), ...(key ? { key } : {}) })
  expect((await patch({ monthly_limit: 2 }, control.keys.bob)).status).toBe(403)
  expect((await patch({ monthly_limit: -1 })).status).toBe(422)
  expect((await patch({})).status).toBe(400)
  expect((await patch({ monthly_limit: 2 })).body).toEqual({ nickname: 'ann', monthly_limit: 2, has_prices: false })
  watch.lookAgain()
  await watch.pass(signal)
  const { to: until } = monthOf(now)
  expect(budgets.of('account-ann')).toEqual({ limit: 2, spent: 1, currency: 'EUR', until })
  expect([budgets.spentOf('account-ann', now), said]).toEqual([undefined, []])

  now += 10_000
  for (const _ of [1, 2]) await watch.pass(signal)
  expect(budgets.spentOf('account-ann', now)).toMatchObject({ spent: 2 })
  expect(budgets.spentOf('account-ann', until)).toBeUndefined()
  expect(said).toEqual([expect.stringContaining('has spent 2.00 EUR this month and may spend 2')])

  await patch({ monthly_limit: null })
  watch.lookAgain()
  await watch.pass(signal)
  expect(budgets.of('account-ann')).toBeUndefined()
})
