import type { Moment } from '../kit/clock.ts'
import type { AccountId, AppId, RevisionId } from './ids.ts'
import type { QueueSettings } from './queue-settings.ts'
import type { ScaleSettings } from './scale.ts'

export type AuthMode = 'private' | 'public' | 'shared'

/** How an app comes by its next revision: at once, or when the first runner of it is healthy. */
export type DeploymentStrategy = 'recreate' | 'rolling'

/** A permanent endpoint `owner/name`: a pointer to one active revision, and the values that are live now. */
export interface App {
  readonly id: AppId
  readonly accountId: AccountId
  /** The owner's nickname. */
  readonly owner: string
  /** The whole alias, environment suffix included: `hello` or `hello--staging`. */
  readonly name: string
  readonly environment: string
  readonly authMode: AuthMode
  /** Absent until the first rolling deploy has a healthy runner: such an app has no endpoint and is not listed. */
  readonly revisionId?: RevisionId
  readonly scale: ScaleSettings
  readonly queue: QueueSettings
  /** Seconds of idleness after which its runners are frozen; 0 is never. Absent: as the installation says. */
  readonly freezeAfter?: number
  /** The revision that a rolling deploy is bringing up, while it does. */
  readonly rollingRevisionId?: RevisionId
  /** The scale settings that come into force when it switches. */
  readonly rollingScale?: ScaleSettings
  /** Present on what serves one revision of another app, which is called by that revision's name. */
  readonly revisionOf?: AppId
  readonly createdAt: Moment
  readonly updatedAt: Moment
}
