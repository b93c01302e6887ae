import type { Keyring } from '../access/keyring.ts'
import type { App } from '../domain/app.ts'
import type { RunnerId } from '../domain/ids.ts'
import { presets } from '../domain/permissions.ts'
import type { Revision } from '../domain/revision.ts'
import { pend, start, type Pending } from '../domain/runner.ts'
import type { ScaleSettings } from '../domain/scale.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import { uuidv7 } from '../kit/ids.ts'
import type { Draft } from './draft.ts'

export interface BirthParts {
  readonly clock: Clock
  readonly keyring: Pick<Keyring, 'prepare'>
}

/** Drafts a new runner. It starts now unless it has to wait. */
export function bear(app: App, revision: Revision, startAt: Moment, parts: BirthParts, draft: Draft): RunnerId {
  const now = parts.clock.now()
  const id = uuidv7(parts.clock)
  const machineType = scaleOf(app, revision).machine_types[0] ?? ''
  const identity = { id, appId: app.id, accountId: app.accountId, revisionId: revision.id, machineType, createdAt: now }
  const pending = pend(identity, Math.max(startAt, now))
  if (pending.startAt > now) draft.put(pending)
  else begin(pending, app, revision, parts, draft)
  return id
}

/** Drafts the start of a runner, and the key that it is given. */
export function begin(
  pending: Pending,
  app: App,
  revision: Revision,
  { clock, keyring }: BirthParts,
  draft: Draft,
): void {
  const key = keyring.prepare(app.accountId, presets.RUNNER, `runner ${pending.id}`, 'runner')
  const setup = start(pending, scaleOf(app, revision).startup_timeout * 1_000, clock.now())
  const runner = { ...setup, keyId: key.credentials.keyId }
  draft.put(runner, { runner, app, revision, key })
}

/** What is live now for runners of this revision. */
function scaleOf(app: App, revision: Revision): ScaleSettings {
  return revision.id === app.revisionId ? app.scale : (app.rollingScale ?? revision.spec.scale)
}
