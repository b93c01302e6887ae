import type { App } from '../domain/app.ts'
import type { AppId, RevisionId } from '../domain/ids.ts'
import type { Revision } from '../domain/revision.ts'
import { allApps } from '../store/apps.ts'
import { revisionsById } from '../store/revisions.ts'
import type { Store } from '../store/store.ts'
import type { Apps, KnownApp } from './apps.ts'

interface Snapshot {
  readonly byId: ReadonlyMap<AppId, KnownApp>
  readonly byName: ReadonlyMap<string, KnownApp>
}

/** Every app, read from the store now and after each change to one. Resolves when all are known. */
export async function createApps(store: Store): Promise<Apps> {
  /** Revisions never change, so each is read once. */
  let revisions: ReadonlyMap<RevisionId, Revision> = new Map()
  let known: Snapshot = { byId: new Map(), byName: new Map() }
  const listeners: (() => void)[] = []
  let underWay: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined

  async function look(): Promise<void> {
    const apps = await store.read(allApps())
    revisions = await withNew(store, revisions, apps)
    known = snapshotOf(apps, revisions, known)
    for (const listener of listeners) listener()
  }

  /** All who ask before a look has begun share it; who asks during one waits for another. */
  async function lookAfterThis(): Promise<void> {
    await underWay.catch(() => {}) // its own callers are told
    next = undefined
    underWay = look()
    await underWay
  }

  const refresh = (): Promise<void> => (next ??= lookAfterThis())

  store.onChange('app', () => void refresh().catch(() => {})) // who changed an app refreshes too, and is told
  await refresh()

  return {
    find: (owner, name) => known.byName.get(`${owner}/${name}`),
    byId: (id) => known.byId.get(id),
    all: () => known.byId.values(),
    refresh,
    onRefresh: (listener) => void listeners.push(listener),
  }
}

async function withNew(
  store: Store,
  had: ReadonlyMap<RevisionId, Revision>,
  apps: readonly App[],
): Promise<ReadonlyMap<RevisionId, Revision>> {
  const needed = [...new Set(apps.flatMap(idsOf))]
  const missing = needed.filter((id) => !had.has(id))
  const fresh = missing.length === 0 ? [] : await store.read(revisionsById(missing))
  const all = new Map([...had, ...fresh.map((revision) => [revision.id, revision] as const)])
  const stillNeeded = new Set(needed)
  return new Map([...all].filter(([id]) => stillNeeded.has(id)))
}

function idsOf({ revisionId, rollingRevisionId }: App): readonly RevisionId[] {
  return [revisionId, rollingRevisionId].filter((id) => id !== undefined)
}

/** What did not change stays the same object, so that others see at a glance what did. */
function snapshotOf(apps: readonly App[], revisions: ReadonlyMap<RevisionId, Revision>, before: Snapshot): Snapshot {
  const revision = (id: RevisionId | undefined) => (id === undefined ? undefined : revisions.get(id))
  const known = apps.map((app) => {
    const same = before.byId.get(app.id)
    if (same !== undefined && JSON.stringify(same.app) === JSON.stringify(app)) return same
    return { app, active: revision(app.revisionId), rolling: revision(app.rollingRevisionId) }
  })
  return {
    byId: new Map(known.map((each) => [each.app.id, each])),
    byName: new Map(known.map((each) => [`${each.app.owner}/${each.app.name}`, each])),
  }
}
