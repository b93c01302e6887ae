import { constants } from 'node:os'
import type { RunValue } from '../blobs/run-results.ts'
import { CarrickError } from '../domain/errors.ts'
import type { RevisionSpec } from '../domain/revision.ts'
import type { Terminated } from '../domain/runner.ts'
import type { Deps } from './deps.ts'

const lastWords = 50

/** What a run brought forth. Throws a sentence that says what happened to a runner that ended without a result. */
export async function outcomeOf(
  { results, logs }: Pick<Deps, 'results' | 'logs'>,
  runner: Terminated,
  spec: RevisionSpec,
): Promise<RunValue> {
  const result = await results.take(runner.id)
  if (result?.kind === 'unloadable') {
    // The words by which stock clients know it, and look for requirements that are missing.
    throw new CarrickError('bad_request', `The function function could not be deserialized. ${result.message}`)
  }
  if (result !== undefined) return result
  throw failureOf(runner, spec, () =>
    logs
      .tail(runner.id, lastWords)
      .map(({ message }) => message)
      .join('\n'),
  )
}

function failureOf({ reason, exit }: Terminated, { scale, run }: RevisionSpec, words: () => string): CarrickError {
  if (reason === 'startup_timeout') return tooSlow(scale, run)
  if (reason !== 'crash' && reason !== 'startup_failure') {
    return new CarrickError('runner_disconnected', `The runner of this run was ended (${reason}) before it was done.`)
  }
  if (exit?.signal) {
    // How stock clients know a process that was killed, most often for its memory.
    return new CarrickError(
      'runner_disconnected',
      `The process of this run \`python died with ${named(exit.signal)}.\`.`,
    )
  }
  const code = exit?.code ?? undefined
  const how = code === undefined ? 'could not be started' : `ended with exit code ${code} before it was done`
  return new CarrickError('runner_disconnected', `The runner of this run ${how}. Its last words:\n${words()}`)
}

function tooSlow({ request_timeout, startup_timeout }: RevisionSpec['scale'], run: RevisionSpec['run']): CarrickError {
  if (run === 'function') {
    const message = `The function ran longer than ${request_timeout} s (request_timeout), so it was ended.`
    return new CarrickError('request_timeout', message)
  }
  const message = `The app did not open its port within ${startup_timeout} s (startup_timeout), so it was ended.`
  return new CarrickError('startup_timeout', message)
}

/** As Python shows a signal: `<Signals.SIGKILL: 9>`. */
function named(signal: string): string {
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1]
  return `<Signals.${signal}: ${number ?? '?'}>`
}
