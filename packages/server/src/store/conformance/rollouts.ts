import { beforeEach, describe, expect, test } from 'vitest'
import { serverDefaults } from '../../domain/scale.ts'
import { addTestAccount } from '../../testing/store.ts'
import { testSpec } from '../../testing/scheduler.ts'
import { allApps, appByName, deleteApp } from '../apps.ts'
import { begunTurn, lastTurn, noteBegun, takeTurn } from '../deploy-turns.ts'
import { abortRolling, registerRevision, setNextRevision, switchRevision } from '../next-revisions.ts'
import { decisionsBefore, keepDecisions } from '../decisions.ts'
import { beginMaintenance, endMaintenance, maintenances } from '../maintenance.ts'
import { addNamedRevision, addRevision } from '../named-revisions.ts'
import { deleteRevision, failureSince, revisionsOfApp, revisionsPage } from '../revisions.ts'
import { keepServedOpenapi, servedOpenapi, servedOpenapis } from '../served-openapi.ts'
import type { Store } from '../store.ts'

/** Revisions that come and go: who wins, what stays on record, and what serves one by its name. */
export function describeRollouts(store: () => Store): void {
  describe('rollouts', () => {
    const accountId = 'account-rollouts'
    const scale = serverDefaults
    const base = { scale, basedOn: scale, authMode: 'private' } as const
    let count = 0
    let app = { id: '', accountId, name: '', environment: 'main' }

    const register = (revisionId: string, strategy: 'rolling' | 'recreate', now: number, turn?: number) =>
      store().commit(
        registerRevision(app, testSpec(), {
          ...base,
          revisionId: idOf(revisionId),
          strategy,
          now,
          ...(turn && { turn }),
        }),
      )
    const idOf = (revision: string) => `${app.name}-${revision}`
    const found = () => store().read(appByName(accountId, app.name))

    beforeEach(async () => {
      count += 1
      if (count === 1) await addTestAccount(store(), { id: accountId, nickname: 'rollouts' })
      app = { ...app, id: `rollouts-${count}`, name: `rollouts-${count}` }
    })

    test('the last twenty decisions of an app are kept, each as it was last said, and none of a deleted app', async () => {
      await register('r1', 'recreate', 1)
      const there = { pending: 0, starting: 0, idle: 0, busy: 0, ending: 0, finishing: 0 }
      const kept = (firstAt: number, times = 1) => ({
        firstAt,
        times,
        decision: { at: firstAt, there, steps: [], blocks: [] },
      })
      const all = Array.from({ length: 25 }, (_, at) => ({ appId: app.id, kept: kept(at) }))
      await store().commit(keepDecisions(all))
      await store().commit(keepDecisions([{ appId: app.id, kept: kept(24, 3) }]))
      const last = await store().read(decisionsBefore(app.id, 100))
      expect(last.map(({ firstAt }) => firstAt)).toEqual(Array.from({ length: 20 }, (_, at) => 24 - at))
      expect(last[0]).toEqual(kept(24, 3))
      expect(await store().read(decisionsBefore(app.id, 6))).toEqual([kept(5)])
      await store().commit(deleteApp(app.id, 2))
      await store().commit(keepDecisions([{ appId: app.id, kept: kept(30) }]))
      expect(await store().read(decisionsBefore(app.id, 100))).toEqual([])
    })

    test('a machine is in maintenance until that ends; said again only deadline and message change', async () => {
      await store().commit(beginMaintenance({ machineId: 'box', since: 1, message: 'a new driver' }))
      await store().commit(beginMaintenance({ machineId: 'box', since: 2, deadline: 9 }))
      expect(await store().read(maintenances())).toEqual([{ machineId: 'box', since: 1, deadline: 9 }])
      await store().commit(endMaintenance('box'))
      expect(await store().read(maintenances())).toEqual([])
    })

    test('a change of an earlier turn than the app has seen changes nothing', async () => {
      const turns = await Promise.all([1, 2, 3].map(() => store().commit(takeTurn(accountId))))
      const [first = 0, second = 0, third = 0] = turns.toSorted((one, other) => one - other)
      expect(new Set(turns).size).toBe(3)
      expect(await register('r2', 'recreate', 1, second)).toBe(true)
      expect(await register('r1', 'rolling', 2, first)).toBe(false)
      expect(await register('r3', 'rolling', 3, third)).toBe(true)
      const back = { ...base, revisionId: idOf('r2'), strategy: 'recreate', turn: second, now: 4 } as const
      expect(await store().commit(setNextRevision(app.id, back))).toBe(false)
      expect(await store().read(lastTurn(accountId, app.name))).toBe(third)
      expect(await found()).toMatchObject({ revisionId: idOf('r2'), rollingRevisionId: idOf('r3') })
    })

    test('the turn of the newest build of an environment is kept, and forgotten after a day', async () => {
      const begun = { accountId, name: app.name, environmentId: 'e1' }
      await store().commit(noteBegun(begun, 7, 1_000))
      await store().commit(noteBegun(begun, 5, 2_000))
      expect(await store().read(begunTurn(begun))).toBe(7)
      await store().commit(noteBegun({ ...begun, environmentId: 'e2' }, 9, 90_000_000))
      expect(await store().read(begunTurn(begun))).toBeUndefined()
      expect(await store().read(begunTurn({ ...begun, environmentId: 'e2' }))).toBe(9)
    })

    test('what became of a revision stays with it', async () => {
      const page = () => store().read(revisionsPage(app.id, { createdAt: 1_000, id: '' }, 10))
      await register('r1', 'recreate', 10)
      await register('r2', 'rolling', 11)
      await store().commit(abortRolling(app.id, idOf('r2'), 20, 'no such model'))
      expect(await page()).toMatchObject([{ failedAt: 20, failure: 'no such model' }, { deployedAt: 10 }])
      expect(await store().read(failureSince(idOf('r2'), 21))).toBeUndefined()
      await store().commit(setNextRevision(app.id, { ...base, revisionId: idOf('r2'), strategy: 'rolling', now: 30 }))
      await store().commit(switchRevision(app.id, idOf('r2'), undefined, 40))
      expect(await page()).toMatchObject([{ deployedAt: 40, failedAt: 20 }, { deployedAt: 10 }])
    })

    test('a revision that is kept back is served by its name until it, or its app, is deleted', async () => {
      const more = (id: string) => ({ id: idOf(id), spec: testSpec(), now: 5 })
      expect(await store().commit(addRevision(app, more('r0')))).toBe(false)
      await register('r1', 'recreate', 1)
      expect(await store().commit(addRevision(app, more('r2')))).toBe(true)
      expect((await store().read(revisionsOfApp(app.id))).map(({ id }) => id)).toEqual([idOf('r2'), idOf('r1')])
      const named = (id: string) => ({ id: `${app.id}@${id}`, name: `${app.name}@${id}`, scale })
      const names = async () =>
        (await store().read(allApps())).filter(({ revisionOf }) => revisionOf === app.id).map(({ name }) => name)
      expect(await store().commit(addNamedRevision(named('r1'), idOf('r1'), 6))).toBe(true)
      expect(await store().commit(addNamedRevision(named('r2'), idOf('r2'), 7))).toBe(true)
      expect(await store().commit(addNamedRevision({ ...named('r2'), id: 'other' }, idOf('r2'), 8))).toBe(false)
      expect(await names()).toEqual([named('r1').name, named('r2').name])
      expect(await store().read(appByName(accountId, named('r2').name))).toBeUndefined()
      expect(await store().commit(deleteRevision(idOf('r1'), 9))).toBe(false) // it is the active one
      expect(await store().commit(deleteRevision(idOf('r2'), 9))).toBe(true)
      expect(await names()).toEqual([named('r1').name])
      expect(await store().commit(deleteApp(app.id, 10))).toBe(true)
      expect(await names()).toEqual([])
    })

    test('what a runner served of itself is kept once, apart from its deploy, and goes with the revision', async () => {
      await register('r1', 'recreate', 1)
      await register('r2', 'recreate', 2)
      const keep = (revision: string, document: string) =>
        store().commit(keepServedOpenapi(idOf(revision), document, 3))
      await Promise.all([keep('r1', '{"paths":{}}'), keep('r2', '{}'), keep('nothing', '{}')])
      await keep('r1', '{"paths":{"/later":{}}}')
      const served = () => store().read(servedOpenapis(['r1', 'r2', 'nothing'].map(idOf)))
      expect(new Map(await served())).toEqual(
        new Map([
          [idOf('r1'), '{"paths":{}}'],
          [idOf('r2'), '{}'],
        ]),
      )
      expect(await store().read(servedOpenapi(idOf('r1')))).toBe('{"paths":{}}')
      const [newest] = await store().read(revisionsOfApp(app.id))
      expect(newest?.spec.metadata).toEqual({})
      expect(await store().commit(deleteRevision(idOf('r2'), 4))).toBe(false) // the app has it
      expect(await store().commit(deleteRevision(idOf('r1'), 4))).toBe(true)
      expect(await served()).toEqual([[idOf('r2'), '{}']])
    })
  })
}
