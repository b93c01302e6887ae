import type { AppId } from '../domain/ids.ts'
import type { Apps, KnownApp } from '../home/apps.ts'

/** Which apps came, went or changed since it was last asked; at first, all. */
export class AppNews {
  readonly #apps: Pick<Apps, 'all'>
  #before: ReadonlyMap<AppId, KnownApp> = new Map()

  constructor(apps: Pick<Apps, 'all'>) {
    this.#apps = apps
  }

  take(): readonly AppId[] {
    const before = this.#before
    const now = byId(this.#apps)
    this.#before = now
    const changed = [...now].filter(([id, known]) => before.get(id) !== known)
    const gone = [...before.keys()].filter((id) => !now.has(id))
    return [...changed.map(([id]) => id), ...gone]
  }
}

function byId(apps: Pick<Apps, 'all'>): ReadonlyMap<AppId, KnownApp> {
  return new Map(Array.from(apps.all(), (known) => [known.app.id, known] as const))
}
