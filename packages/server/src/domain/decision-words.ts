import { assertNever } from '../kit/assert-never.ts'
import type { Block, Decision, FailedStart, RunnersThere, ScalingFacts, Step } from './decision.ts'
import { mainEnvironment, splitAlias } from './names.ts'
import type { ScaleSettings } from './scale.ts'
import type { Calculation } from './scaling.ts'
import { unplacedWords } from './unplaced-words.ts'
import { spellCount, spellExit, spellList, spellTime } from './spell.ts'

/** What a decision was, in sentences: what was seen, the formula with its numbers, what is done, what stands in the way. Pure. */
export function decisionSentences(decision: Decision, app: string): readonly string[] {
  const { scaling, there, rolling, steps, blocks, at } = decision
  return [
    ...(scaling ? [demandSentence(scaling, at), `${formulaOf(scaling.scale, scaling.atMost)}.`] : []),
    ...(scaling?.lifted ? [liftedSentence(scaling.lifted, scaling.desired.atLeast)] : []),
    thereSentence(there, at),
    ...(there.frozen === undefined ? [] : [frozenSentence]),
    ...(rolling === undefined
      ? []
      : [`A rolling deploy brings up revision ${rolling}; until a runner of it is healthy, calls go where they went.`]),
    ...outcomeSentences(decision),
    ...blocks.map((block) => blockSentence(block, app, at)),
    ...(steps.length === 0 && scaling ? surplusSentence(scaling) : []),
  ]
}

/** The documented formula with its numbers: `needed = ceil(7 / 2) = 4; buffer = …; desired = …`. */
export function formulaOf(scale: ScaleSettings, { volume, needed, buffer, desired }: Calculation): string {
  const { max_multiplexing, concurrency_buffer, concurrency_buffer_perc, min_concurrency, max_concurrency } = scale
  return [
    `needed = ceil(${volume} / ${max_multiplexing}) = ${needed}`,
    `buffer = max(${concurrency_buffer}, ceil(${concurrency_buffer_perc} % of ${needed})) = ${buffer}`,
    `desired = min(${max_concurrency}, max(${min_concurrency}, ${needed} + ${buffer})) = ${desired}`,
  ].join('; ')
}

/** What is done, a sentence for each step. */
function outcomeSentences({ scaling, steps, at }: Decision): readonly string[] {
  if (steps.length > 0) return steps.map((step) => stepSentence(step, at))
  if (scaling === undefined) return []
  const { counted, desired } = scaling
  if (counted === desired.atMost) return [`Keeps ${runners(counted)}: as many as are wanted.`]
  return [`Keeps ${runners(counted)}, where ${desired.atMost} ${desired.atMost === 1 ? 'is' : 'are'} wanted.`]
}

/** What stands in the way of more runners. */
export function blockSentence(block: Block, app: string, now: number): string {
  switch (block.kind) {
    case 'max_concurrency':
      return `max_concurrency allows ${runners(block.cap)}, where ${block.wanted} would be wanted: \`fal apps scale ${falNameOf(app)} --max-concurrency N\` raises it.`
    case 'backoff':
      return `The next start waits ${spellTime(block.until - now)} more, because ${failures(block.failures)}${lastFailure(block.failed)}.`
    case 'scaling_delay':
      return `${spellCount(block.waiting, 'waiting request')} ${block.waiting === 1 ? 'starts' : 'start'} no runner before one has waited for scaling_delay (${block.seconds} s): ${spellTime(block.until - now)} more.`
    case 'paused':
      return `The queue is paused, so the ${spellCount(block.held, 'request')} in it ${block.held === 1 ? 'starts' : 'start'} no runner: \`carrick queue resume ${nameOf(app)}\` goes on with them.`
    case 'no_place':
      return `${spellCount(block.runners, 'runner has', 'runners have')} no place yet: ${unplacedWords(block.why)}.`
    case 'first_deploy':
      return `Its first deploy is under way (revision ${block.revisionId}): calls can be served once a runner of that is healthy.`
    default:
      return assertNever(block)
  }
}

function demandSentence({ running, waiting, waitingSince }: ScalingFacts, at: number): string {
  const oldest = waitingSince === undefined ? '' : `, the oldest for ${spellTime(at - waitingSince)}`
  return `${spellCount(running, 'request runs', 'requests run')} and ${spellCount(waiting, 'waits', 'wait')}${waiting > 0 ? oldest : ''}.`
}

function liftedSentence(lifted: 'handover' | 'warming', count: number): string {
  return lifted === 'handover'
    ? `Until new runners have taken over from those of the revision before, ${count} ${count === 1 ? 'is' : 'are'} wanted.`
    : 'A runner of the revision that calls go to now is to be ready, whether anybody calls or not.'
}

const frozenSentence =
  'A frozen runner keeps its memory and takes no processor time; it goes on when something is sent to it.'

function thereSentence(
  { pending, starting, startingSince, idle, frozen = 0, busy, ending, finishing }: RunnersThere,
  at: number,
): string {
  const since = startingSince === undefined ? '' : ` (for ${spellTime(at - startingSince)})`
  const kinds = [
    [busy, `${busy} busy`],
    [idle, `${idle} idle${frozen === 0 ? '' : frozen === idle ? ' (frozen)' : ` (${frozen} frozen)`}`],
    [starting, `${starting} starting${since}`],
    [pending, `${pending} waiting to start`],
    [ending, finishing === 0 ? `${ending} ending` : `${ending} ending (${finishing} still at work)`],
  ] as const
  const words = kinds.filter(([count]) => count > 0).map(([, word]) => word)
  const all = pending + starting + idle + busy + ending
  return all === 0 ? 'There is no runner.' : `There ${all === 1 ? 'is' : 'are'} ${runners(all)}: ${spellList(words)}.`
}

function stepSentence(step: Step, at: number): string {
  switch (step.kind) {
    case 'start': {
      const named = step.runners.length === 0 ? '' : ` (${step.runners.join(', ')})`
      const which = `${runners(step.count)}${named}`
      if (step.cause === 'rolling') return `Starts ${which} of the revision that a rolling deploy brings up.`
      const why =
        step.cause === 'replace' ? ` to take the place of ${step.count === 1 ? 'one' : 'those'} that should go` : ''
      if (step.startAt === undefined) return `Starts ${which}${why}.`
      return `Adds ${which}${why} to begin in ${spellTime(step.startAt - at)}.`
    }
    case 'begin':
      return `Begins the start of runner ${step.runner}, whose wait is over.`
    case 'cancel':
      return `Gives up runner ${step.runner}, which did not serve yet: ${cancelReason(step)}.`
    case 'drain':
      return `Ends runner ${step.runner}: ${drainReason(step)}.`
    default:
      return assertNever(step)
  }
}

function cancelReason({ cause, isAboveCap }: Extract<Step, { kind: 'cancel' }>): string {
  if (cause !== 'scale_down') return reasons.get(cause) ?? cause
  return isAboveCap ? 'there are more runners than max_concurrency allows' : 'it is no longer wanted'
}

function drainReason({ cause, idleMs, limitMs, used }: Extract<Step, { kind: 'drain' }>): string {
  if (cause !== 'keep_alive') return reasons.get(cause) ?? cause
  const idle = `it was idle for ${spellTime(idleMs)} and is not wanted now`
  if (used) return `${idle}; keep_alive is ${spellTime(limitMs)}`
  return `${idle}, and it never had a request: such a runner may idle for ${spellTime(limitMs)}`
}

/** Why the scheduler ends a runner, by the word that is stored. */
const reasons: ReadonlyMap<string, string> = new Map([
  ['scale_down', 'there are more runners than max_concurrency allows'],
  ['deploy', 'its revision is not the active one any more'],
  ['app_deleted', 'its app was deleted'],
  ['host_maintenance', 'its machine was taken into maintenance'],
  ['stopped', 'it was to be replaced, and its successor serves'],
])

/** Runners above what is wanted go by themselves; until then it should be clear why they are there. */
function surplusSentence({ scale, counted, desired }: ScalingFacts): readonly string[] {
  const over = counted - desired.atMost
  if (over <= 0) return []
  const which = over === 1 ? 'The one above that goes' : `The ${over} above that go`
  return [`${which} once idle for keep_alive (${scale.keep_alive} s); a busy runner is never ended for that.`]
}

function failures(count: number): string {
  return count === 1 ? 'the last start failed' : `${count} starts failed one after the other`
}

function lastFailure(failed: FailedStart | undefined): string {
  if (failed === undefined) return ''
  const how =
    failed.reason === 'startup_timeout'
      ? 'did not open its port within startup_timeout'
      : `ended${spellExit(failed.exit)} before it was ready`
  return `: runner ${failed.runnerId} ${how} (\`fal runners logs ${failed.runnerId}\`)`
}

const runners = (count: number): string => spellCount(count, 'runner')

/** As one's own apps are named in commands of ours. */
const nameOf = (app: string): string => app.slice(app.indexOf('/') + 1)

/** And in those of `fal`, which keeps the environment apart. */
function falNameOf(app: string): string {
  const { base, environment } = splitAlias(nameOf(app))
  return environment === mainEnvironment ? base : `${base} --env ${environment}`
}
