import type { AppId, RunnerId } from '../domain/ids.ts'
import type { Identity, StopReason } from '../domain/runner.ts'
import { DecisionLog } from './decisions.ts'
import type { Change, Fleet } from './fleet.ts'
import { Freezer } from './freezer.ts'
import { Hands } from './hands.ts'
import { HealthChecks } from './health-checks.ts'
import { tellOfLateStarts } from './late-starts.ts'
import type { RunnerStart } from './launch.ts'
import type { Maintenances } from './maintenances.ts'
import { Masks } from './masks.ts'
import { Memory } from './memory.ts'
import { Placing } from './placing.ts'
import { PostMortems } from './post-mortems.ts'
import { socketProbe } from './probe.ts'
import { Rollouts } from './rollouts.ts'
import { Roster } from './roster.ts'
import { Runs } from './runs.ts'
import type { SchedulerParts } from './scheduler.ts'
import { ServedDocuments } from './served-documents.ts'
import { Sightings } from './sightings.ts'
import { Verdicts } from './verdicts.ts'
import { Voices } from './voices.ts'

/** One pass of so many looks at everything, also where nobody told of anything. */
const passesPerWhole = 5

/** What the members of the scheduler tell it, and ask of it. */
export interface MemberEvents {
  /** There is something to decide about an app. */
  readonly onNews: (appId: AppId) => void
  /** A runner may be seen in another state than before. */
  readonly onSeen: () => void
  readonly onLaunched: (id: RunnerId) => Promise<void>
  readonly onRefused: (start: RunnerStart, error: unknown) => void
  /** Ends a runner now. */
  readonly end: (id: RunnerId, reason: StopReason) => void
  /** A runner is no good any more, and another takes its place. */
  readonly replace: (id: RunnerId, reason: StopReason) => void
}

export type Members = ReturnType<typeof membersOf>

interface Given {
  readonly fleet: Fleet
  readonly maintenances: Maintenances
  readonly events: MemberEvents
  /** The scheduler is at its end: nothing is launched any more. */
  readonly ending: AbortSignal
}

/** Who does the scheduler's work, each one thing, put together. */
export function membersOf(parts: SchedulerParts, { fleet, maintenances, events, ending }: Given) {
  const { backend, clock, probe = socketProbe } = parts
  const [memory, masks, runs] = [new Memory(), new Masks(), new Runs()]
  const voices = new Voices({ ...parts, fleet, memory, masks, runs })
  const say = (message: string, runner: Identity) => voices.say(message, runner)
  const sightings = new Sightings(backend, clock, parts.everyMs * passesPerWhole)
  const freezer = freezerOf(parts, fleet, events)
  const hands = new Hands({ ...parts, ...events, masks }, ending)
  const placing = new Placing({ ...parts, fleet, maintenances, isFree: (id) => hands.isFree(id) })
  return {
    memory,
    runs,
    voices,
    sightings,
    freezer,
    hands,
    placing,
    rollouts: new Rollouts(parts.logs),
    postMortems: new PostMortems((id) => fleet.get(id) !== undefined),
    decisions: new DecisionLog(),
    health: new HealthChecks({
      clock,
      probe,
      freezer,
      say,
      inFlightOf: (appId, id) => parts.homes.of(appId).load().runners.get(id)?.inFlight ?? 0,
      onWell: (id) => (sightings.expectChange(id), events.onSeen()),
      onIll: (id) => events.replace(id, 'health_check'),
    }),
    verdicts: new Verdicts({ backend, fleet, memory, freezer, probe, say, replace: events.replace }),
    documents: new ServedDocuments({ ...parts, memory, freezer }),
    roster: new Roster({ ...parts, fleet, memory, placing }),
    tell: (changes: readonly Change[]) => tellOfLateStarts(changes, { backend, memory, say }),
  }
}

function freezerOf(parts: SchedulerParts, fleet: Fleet, { onNews, end }: MemberEvents): Freezer {
  return new Freezer({
    ...parts,
    backend: parts.backend.freezer,
    fleet,
    freezeAfterSeconds: parts.freezeAfterSeconds ?? 0,
    onNews,
    onStuck: (id) => end(id, 'crash'),
  })
}
