import type { Keyring } from '../access/keyring.ts'
import type { App } from '../domain/app.ts'
import { presets } from '../domain/permissions.ts'
import type { Revision } from '../domain/revision.ts'
import { pend, place, start, type Pending } from '../domain/runner.ts'
import type { ScaleSettings } from '../domain/scale.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import { uuidv7 } from '../kit/ids.ts'
import type { Draft } from './draft.ts'
import type { Placing } from './placing.ts'

export interface BirthParts {
  readonly clock: Clock
  readonly keyring: Pick<Keyring, 'prepare'>
  readonly placing: Placing
}

/** A runner that is wanted, and what it is to run. */
export interface Birth {
  readonly runner: Pending
  readonly app: App
  readonly revision: Revision
}

/** Drafts a new runner. */
export function bear(app: App, revision: Revision, startAt: Moment, { clock }: BirthParts, draft: Draft): Birth {
  const now = clock.now()
  const machineType = scaleOf(app, revision).machine_types[0] ?? ''
  const of = { appId: app.id, accountId: app.accountId, revisionId: revision.id }
  const runner = pend({ id: uuidv7(clock), ...of, machineType, createdAt: now }, Math.max(startAt, now))
  draft.put(runner)
  return { runner, app, revision }
}

/** Drafts the starts of runners whose time has come, as far as there are places. */
export function beginThose(births: readonly Birth[], parts: BirthParts, draft: Draft): void {
  const { placing, clock } = parts
  const now = clock.now()
  const due = births.filter(({ runner }) => runner.startAt <= now)
  const places = placing.give(
    due.map(({ runner, app, revision }) => ({ runner, scale: scaleOf(app, revision) })),
    now,
  )
  for (const birth of due) {
    const placement = places.get(birth.runner.id)
    if (placement !== undefined) begin({ ...birth, runner: place(birth.runner, placement) }, parts, draft)
  }
}

/** Drafts the start of a runner that has a place, and the key that it is given. */
function begin({ runner: pending, app, revision }: Birth, { clock, keyring }: BirthParts, draft: Draft): void {
  const key = keyring.prepare(app.accountId, presets.RUNNER, `runner ${pending.id}`, 'runner')
  const setup = start(pending, scaleOf(app, revision).startup_timeout * 1_000, clock.now())
  const runner = { ...setup, keyId: key.credentials.keyId }
  draft.put(runner, { runner, app, revision, key })
}

/** What is live now for runners of this revision. */
function scaleOf(app: App, revision: Revision): ScaleSettings {
  return revision.id === app.revisionId ? app.scale : (app.rollingScale ?? revision.spec.scale)
}
