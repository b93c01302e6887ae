import { rebuilt } from '../api/deploys/prepared.ts'
import type { Builder } from '../builder/builder.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import type { Foundation } from '../foundation.ts'
import type { LaunchParts, RunnerStart } from '../scheduler/launch.ts'

/** The environments of runners, made again where they are gone. */
export interface BuiltOnDemand extends Pick<LaunchParts, 'environments'> {
  /** Those that stand in for one that cannot be made as it was. No revision names them. */
  readonly standIns: ReadonlySet<EnvironmentId>
}

/**
 * Where a runner finds its environment. One that is not there, because the installation was restored from a backup or
 * somebody took it away, is built of what its deploy said, with the secrets of today; the runner waits. Rejects with the build's own
 * words, which the runner's logs then have.
 */
export function builtOnDemand(
  foundation: Pick<Foundation, 'vault' | 'clock' | 'log' | 'logs'>,
  builder: Builder,
): BuiltOnDemand {
  const { log, logs, clock } = foundation
  const standIns = new Set<EnvironmentId>()

  async function build({ app, revision, runner }: RunnerStart): Promise<EnvironmentId> {
    const of = { accountId: app.accountId, appId: app.id, revisionId: revision.id, runnerId: runner.id }
    const say = (message: string) => logs.append({ ...of, at: clock.now(), source: 'builder', level: 'info', message })
    log.warn({ app: app.id, revision: revision.id }, 'the environment of a revision is gone and is built again')
    say('The environment of this revision is not on this machine: it is built again before the runner starts')
    const attention = { signal: unending, say: ({ message }: { readonly message: string }) => say(message) }
    return await rebuilt({ ...foundation, builder }, app, revision.spec, attention)
  }

  return {
    standIns,
    environments: {
      async placeOf(id, start) {
        if (await builder.has(id)) return await builder.placeOf(id)
        const built = await build(start)
        if (built !== id) standIns.add(built)
        return await builder.placeOf(built)
      },
    },
  }
}

/** A build ends when the server does: then the builder gives it up. */
const unending = new AbortController().signal
