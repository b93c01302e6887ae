import { serverDefaults } from '../packages/server/src/domain/scale.ts'
import { registerRevision } from '../packages/server/src/store/next-revisions.ts'
import type { Store } from '../packages/server/src/store/store.ts'

export const appId = '01900000-0000-7000-8000-000000000001'

/** An app called `waiting`, whose requests nobody serves. */
export async function addRevision(store: Store, accountId: string): Promise<void> {
  await store.commit(
    registerRevision(
      { id: appId, accountId, name: 'waiting', environment: 'main' },
      {
        environment: { kind: 'virtualenv', pythonVersion: '3.11', layers: [], compileBytecode: true },
        environmentId: 'none',
        callable: { method: 'cloudpickle', blob: 'none' },
        scale: serverDefaults,
        terminationGracePeriodSeconds: 5,
        skipRetryConditions: [],
        retryBudgets: {},
        privateLogs: false,
        metadata: {},
      },
      {
        revisionId: '01900000-0000-7000-8000-000000000002',
        strategy: 'recreate',
        scale: serverDefaults,
        basedOn: serverDefaults,
        authMode: 'private',
        now: 0,
      },
    ),
  )
}
