import type { RevisionSpec } from '../../domain/revision.ts'
import { scaleInCode, type ScaleChanges, type ScaleSettings } from '../../domain/scale.ts'

/** Runners of one host at a time, unless the function names a number: more calls wait. */
const mostRunners = 100
/** What a runner between two calls may still need after SIGTERM. */
const graceSeconds = 1

/** The code of every host: our own bootstrap, which calls what it is sent. */
const hostCode = { entrypoint: 'carrick_runner.jobs:serve' } as const

/** What a host's revision says beside its environment and secrets. A host has runners only for calls, one for each. */
export function hostSpec(asked: ScaleChanges): Pick<RevisionSpec, 'callable' | 'run' | 'scale'> & {
  readonly terminationGracePeriodSeconds: number
} {
  const scale: ScaleSettings = scaleInCode({
    ...asked,
    min_concurrency: 0,
    max_concurrency: asked.max_concurrency ?? mostRunners,
    concurrency_buffer: 0,
    concurrency_buffer_perc: 0,
    scaling_delay: 0,
    max_multiplexing: 1,
    request_start_timeout: 0,
  })
  return { callable: hostCode, run: 'host', scale, terminationGracePeriodSeconds: graceSeconds }
}
