import { request } from 'node:http'
import { connect } from 'node:net'
import type { HealthCheck } from '../domain/revision.ts'
import type { Address } from '../domain/runner.ts'

const patienceMs = 2_000

/** How it is looked whether a runner is well. */
export interface Probe {
  readonly accepts: (address: Address) => Promise<boolean>
  readonly whatIsWrong: (
    address: Address,
    check: Pick<HealthCheck, 'path' | 'method' | 'timeoutSeconds'>,
  ) => Promise<string | undefined>
}

/** Whether something accepts connections there. */
export function accepts({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: patienceMs })
    const answer = (yes: boolean) => (socket.destroy(), resolve(yes))
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
    socket.once('timeout', () => answer(false))
  })
}

/**
 * Asks the app's own health check, and answers what is wrong, as the end of a sentence. Nothing is wrong with a 2xx
 * within its time; an error, another status or silence is.
 */
export function whatIsWrong(
  { host, port }: Address,
  { path, method, timeoutSeconds }: Pick<HealthCheck, 'path' | 'method' | 'timeoutSeconds'>,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutSeconds * 1_000)
    const asking = request({ host, port, path, method, signal, agent: false }, ({ statusCode = 0 }) => {
      asking.destroy()
      resolve(statusCode >= 200 && statusCode < 300 ? undefined : `answered ${statusCode}`)
    })
    asking.on('error', ({ message }) =>
      resolve(signal.aborted ? `did not answer within ${timeoutSeconds} s` : `failed: ${message}`),
    )
    asking.end()
  })
}

/** By its socket. */
export const socketProbe: Probe = { accepts, whatIsWrong }
