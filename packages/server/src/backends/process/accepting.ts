import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Address } from '../../domain/runner.ts'

const soonestMs = 10
const latestMs = 250

/**
 * The loopback address at which the port answers, as soon as it does; nothing when aborted before. It looks every
 * 10 ms at first and adds at most a hundredth to a start that takes long.
 */
export async function whenAccepting(port: number, signal: AbortSignal): Promise<Address | undefined> {
  for (let waited = 0; !signal.aborted;) {
    for (const host of ['127.0.0.1', '::1']) {
      if (await accepts({ host, port })) return { host, port }
    }
    const wait = Math.min(Math.max(waited / 100, soonestMs), latestMs)
    await pause(wait, undefined, { signal }).catch(() => {})
    waited += wait
  }
  return undefined
}

function accepts({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 })
    const answer = (yes: boolean) => (socket.destroy(), resolve(yes))
    // A client may be given the very port it calls and then meets itself.
    socket.once('connect', () => answer(socket.localPort !== port))
    socket.once('error', () => answer(false))
    socket.once('timeout', () => answer(false))
  })
}
