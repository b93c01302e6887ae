import { constants } from 'node:os'
import { CarrickError } from '../../domain/errors.ts'
import type { RunResult, RunValue } from '../../domain/run-value.ts'
import { exceededWords, type Terminated } from '../../domain/runner.ts'
import type { ScaleSettings } from '../../domain/scale.ts'
import type { Deps } from '../deps.ts'

const lastWords = 50

/** What the runner of an app brought forth. Throws a sentence that says what happened to one that ended without a result. */
export async function outcomeOf(
  { results, logs }: Pick<Deps, 'results' | 'logs'>,
  runner: Terminated,
  scale: ScaleSettings,
): Promise<RunValue> {
  const result = await results.take(runner.id)
  if (result !== undefined) return valueOf(result)
  throw failureOf(runner, scale, () =>
    logs
      .tail(runner.id, lastWords)
      .map(({ message }) => message)
      .join('\n'),
  )
}

/** The value of a result. Throws `bad_request` for code that could not be loaded. */
export function valueOf(result: RunResult): RunValue {
  if (result.kind === 'value') return result
  // The words by which stock clients know it, and look for requirements that are missing.
  throw new CarrickError('bad_request', `The function function could not be deserialized. ${result.message}`)
}

/** Says what happened to a runner that ended before it was done. */
export function failureOf({ reason, exit }: Terminated, scale: ScaleSettings, words: () => string): CarrickError {
  if (reason === 'startup_timeout') {
    const message = `The runner was not ready within ${scale.startup_timeout} s (startup_timeout), so it was ended.`
    return new CarrickError('startup_timeout', message)
  }
  if (reason === 'pids' || reason === 'disk') {
    const message = `The runner of this run ${exceededWords[reason]}, so it was ended${lastSaid(words())}`
    return new CarrickError('runner_disconnected', message)
  }
  if (reason !== 'crash' && reason !== 'startup_failure' && reason !== 'oom') {
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
  return new CarrickError('runner_disconnected', `The runner of this run ${how}${lastSaid(words())}`)
}

const lastSaid = (words: string) => (words.trim() === '' ? '. It said nothing.' : `. Its last words:\n${words}`)

/** For a function that has run for as long as it may. */
export const tooLong = ({ request_timeout }: ScaleSettings) =>
  new CarrickError(
    'request_timeout',
    `The function ran longer than ${request_timeout} s (request_timeout), so it was ended.`,
  )

/** As Python shows a signal: `<Signals.SIGKILL: 9>`. */
function named(signal: string): string {
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1]
  return `<Signals.${signal}: ${number ?? '?'}>`
}
