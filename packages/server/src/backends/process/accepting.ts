import { once } from 'node:events'
import { connect } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Address } from '../../domain/runner.ts'

const latestMs = 250
/** The least time between two looks, and the share that it may have of the time which the start has taken so far. */
const alone = { soonestMs: 10, share: 1 / 100 }
const awaitingWord = { soonestMs: 20, share: 1 / 20 }

/** Resolves with true when a program says on its pipe that it listens, with false when none will say so. */
export async function whenTold(pipe: Readable): Promise<boolean> {
  try {
    pipe.resume()
    return await Promise.race([once(pipe, 'data').then(() => true), once(pipe, 'close').then(() => false)])
  } catch {
    return false
  } finally {
    pipe.on('error', () => {}).destroy()
  }
}

/**
 * The loopback address at which the port answers, as soon as it does; nothing when aborted before. It looks when it is
 * told to, for a word alone is not believed, and now and then anyway: every 10 ms at first, and adds at most a hundredth to
 * a start that takes long. While a word may come it looks less often, for the looks of fifty starts at once are felt.
 * `elsewhere` is asked beside it, for programs that choose their port themselves.
 */
export async function whenAccepting(
  port: number,
  told: Promise<boolean>,
  signal: AbortSignal,
  elsewhere?: () => Promise<Address | undefined>,
): Promise<Address | undefined> {
  let isAwaited = true
  const word = told.then(() => (isAwaited = false))
  for (let waited = 0; !signal.aborted;) {
    for (const host of ['127.0.0.1', '::1']) {
      if (await accepts({ host, port })) return { host, port }
    }
    const found = await elsewhere?.()
    if (found !== undefined) return found
    const { share, soonestMs } = isAwaited ? awaitingWord : alone
    const wait = Math.min(Math.max(waited * share, soonestMs), latestMs)
    await (isAwaited ? sooner(word, wait, signal) : pause(wait, undefined, { signal }).catch(() => {}))
    waited += wait
  }
  return undefined
}

/** Waits for a word, but not longer than that. */
async function sooner(word: Promise<unknown>, ms: number, signal: AbortSignal): Promise<void> {
  const heard = new AbortController()
  const wait = pause(ms, undefined, { signal: AbortSignal.any([signal, heard.signal]) }).catch(() => {})
  await Promise.race([wait, word])
  heard.abort()
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
