import type { App } from '../domain/app.ts'
import type { AppId, RevisionId } from '../domain/ids.ts'
import type { Revision } from '../domain/revision.ts'
import { rolloutStep, type RolloutStep } from '../domain/rollout.ts'
import { exceededWords, isExceeded, isFailedStart, type LiveRunner, type Terminated } from '../domain/runner.ts'
import type { Unplaced } from '../domain/placement.ts'
import { unplacedWords } from '../domain/unplaced-words.ts'
import type { Moment } from '../kit/clock.ts'
import type { LogLevel, LogStore } from '../logs/log-store.ts'

interface UnderWay {
  readonly revisionId: RevisionId
  readonly since: Moment
  failed?: Terminated
}

const lastWords = 100
/** What is said for debugging only. Whoever deploys is not shown it while it is said either. */
const asides: ReadonlySet<LogLevel> = new Set(['trace', 'debug'])
/** Of what is kept of them. */
const mostCharacters = 16_000

/** The rolling deploys that are under way, and what became of their first runners. */
export class Rollouts {
  readonly #logs: Pick<LogStore, 'tail'>
  readonly #underWay = new Map<AppId, UnderWay>()

  constructor(logs: Pick<LogStore, 'tail'>) {
    this.#logs = logs
  }

  /** Remembers when each began. Those that are no longer wanted are forgotten. */
  follow(apps: readonly App[], now: Moment): void {
    const wanted = new Map(
      apps.flatMap(({ id, rollingRevisionId: to }) => (to === undefined ? [] : [[id, to] as const])),
    )
    for (const appId of this.#underWay.keys()) if (!wanted.has(appId)) this.#underWay.delete(appId)
    for (const [appId, revisionId] of wanted) {
      if (this.#underWay.get(appId)?.revisionId === revisionId) continue
      this.#underWay.set(appId, { revisionId, since: now })
    }
  }

  /** A runner has ended. */
  ended(runner: Terminated): void {
    const rollout = this.#underWay.get(runner.appId)
    if (rollout?.revisionId === runner.revisionId && isFailedStart(runner)) rollout.failed ??= runner
  }

  stepOf(app: App, revision: Revision, runners: readonly LiveRunner[], now: Moment): RolloutStep | undefined {
    const rollout = this.#underWay.get(app.id)
    if (rollout?.revisionId !== revision.id) return undefined
    const startupTimeoutMs = revision.spec.scale.startup_timeout * 1_000
    return rolloutStep({ ...rollout, startupTimeoutMs, runners: runners.filter(isOf(revision)) }, now)
  }

  /** Why it failed, with the last words of the runner that failed. */
  whyFailed(app: App, revision: Revision, runners: readonly LiveRunner[], unplaced?: Unplaced): string {
    const failed = this.#underWay.get(app.id)?.failed
    const speaker = failed ?? runners.find(isOf(revision))
    const said = speaker ? this.#logs.tail(speaker.id, lastWords) : []
    const words = said
      .filter(({ level }) => !asides.has(level))
      .map(({ message }) => message)
      .join('\n')
      .slice(-mostCharacters)
    const reason = reasonOf(failed, revision, unplaced)
    return words === '' ? reason : `${reason} Its last words:\n${words}`
  }

  over(appId: AppId): void {
    this.#underWay.delete(appId)
  }
}

const isOf =
  ({ id }: Revision) =>
  ({ revisionId }: LiveRunner) =>
    revisionId === id

const advice = 'Where old and new have no room beside each other, --strategy recreate ends the old first.'

function reasonOf(failed: Terminated | undefined, { spec }: Revision, unplaced: Unplaced | undefined): string {
  const seconds = spec.scale.startup_timeout
  if (failed === undefined) {
    const where = unplaced === undefined ? '' : `, for want of a place: ${unplacedWords(unplaced)}`
    const more = unplaced?.kind === 'no_room' ? ` ${advice}` : ''
    return `No runner of it was ready within ${2 * seconds} s${where}.${more}`
  }
  if (failed.reason === 'startup_timeout')
    return `Its first runner was not ready within ${seconds} s (startup_timeout).`
  if (isExceeded(failed.reason)) return `Its first runner ${exceededWords[failed.reason]}.`
  const { code, signal } = failed.exit ?? { code: null, signal: null }
  const how = signal === null ? (code === null ? '' : ` with exit code ${code}`) : ` by ${signal}`
  return `Its first runner ended${how} before it was ready.`
}
