import type { Keyring } from './access/keyring.ts'
import { fairShareIn, type FairShare } from './domain/fair-share.ts'
import type { Apps, KnownApp } from './home/apps.ts'
import type { Homes } from './home/home.ts'
import type { Logger } from './kit/logger.ts'
import type { Store } from './store/store.ts'

interface ShareParts {
  readonly store: Pick<Store, 'onChange'>
  readonly apps: Pick<Apps, 'refresh'>
  readonly keyring: Pick<Keyring, 'refresh'>
  readonly homes: Pick<Homes, 'shareAnew'>
  readonly log: Logger
}

/** How the callers of an app share its queue, as its owner has set it and named the keys; undefined: they do not. */
export function fairShareOfApp(known: KnownApp | undefined, keyring: Pick<Keyring, 'aliasesOf'>): FairShare | undefined {
  return known?.app.queue.fair_share ? fairShareIn(known.app.queue, keyring.aliasesOf(known.app.accountId)) : undefined
}

/** Lets homes know when an app's settings or a key's alias may have changed: before whoever changed it is answered. */
export function followShares({ store, apps, keyring, homes, log }: ShareParts): void {
  const after = (known: Promise<void>) =>
    known
      .then(() => homes.shareAnew())
      .catch((error: unknown) => log.error({ err: error }, 'queues could not be told of a change of their shares'))
  store.onChange('app', () => void after(apps.refresh()))
  store.onChange('key', () => void after(keyring.refresh()))
}
