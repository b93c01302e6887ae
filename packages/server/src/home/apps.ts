import type { App } from '../domain/app.ts'
import type { AppId } from '../domain/ids.ts'
import type { Revision } from '../domain/revision.ts'

/** An app with the revisions that matter now. */
export interface KnownApp {
  readonly app: App
  /** The active one; absent while the first rolling deploy is under way. */
  readonly active?: Revision
  /** The one that a rolling deploy is bringing up. */
  readonly rolling?: Revision
}

/** Every app of the installation, in memory: the way from `owner/name` to what serves it costs no read. */
export interface Apps {
  find(owner: string, name: string): KnownApp | undefined
  byId(id: AppId): KnownApp | undefined
  all(): Iterable<KnownApp>
  /** Resolves when what was committed before the call is known here. */
  refresh(): Promise<void>
  /** Calls back whenever what is known here has been read anew, before those who wait for `refresh` go on. */
  onRefresh(listener: () => void): void
}
