import { connect } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Address } from '../../../domain/runner.ts'

const latestMs = 250
/** The least time between two looks, and the share that it may have of the time which the start has taken so far. */
const alone = { soonestMs: 10, share: 1 / 100 }
const awaitingWord = { soonestMs: 20, share: 1 / 20 }
const bound = { soonestMs: 2, share: 1 / 20 }

/** What is said of a runner's port. Each resolves with false when nobody will say so any more. */
export interface Words {
  /** It is taken, which comes before anybody listens there. */
  readonly bound: Promise<boolean>
  /** Its program listens. Not every program says so. */
  readonly listening: Promise<boolean>
}

/** Hears what is said on a runner's pipe: `b` by what gives it its port (`carrick_launch/binds.py`), a new line by its program. */
export function hear(pipe: Readable): Words {
  const taken = Promise.withResolvers<boolean>()
  const listening = Promise.withResolvers<boolean>()
  let words = ''
  pipe.on('data', (chunk: Buffer) => {
    words += chunk.toString('latin1', 0, 2)
    taken.resolve(true)
    if (words === 'b') return
    listening.resolve(true)
    pipe.destroy() // no more is heard of a program, however much it says
  })
  pipe.on('error', () => {})
  pipe.once('close', () => [taken, listening].forEach(({ resolve }) => resolve(false)))
  return { bound: taken.promise, listening: listening.promise }
}

export interface Looking {
  /** Nobody can listen there before it is said that the port is taken. */
  readonly onceBound?: boolean
  /** Is asked beside the port, for programs that choose theirs themselves. */
  readonly elsewhere?: (() => Promise<Address | undefined>) | undefined
}

/**
 * The loopback address at which the port answers, as soon as it does; nothing when aborted before. It looks when it is
 * told to, for a word alone is not believed, and now and then anyway: every 10 ms at first, and adds at most a hundredth to
 * a start that takes long. While a word may come it looks less often, for the looks of fifty starts at once are felt, and
 * where nobody can listen before a word it does not look at all.
 */
export async function whenAccepting(
  port: number,
  said: Words,
  signal: AbortSignal,
  { onceBound = false, elsewhere }: Looking = {},
): Promise<Address | undefined> {
  let isAwaited = true
  const word = said.listening.then(() => (isAwaited = false))
  const isBound = onceBound && (await first(said.bound, signal))
  for (let waited = 0; !signal.aborted;) {
    for (const host of ['127.0.0.1', '::1']) {
      if (await accepts({ host, port })) return { host, port }
    }
    const found = await elsewhere?.()
    if (found !== undefined) return found
    const { share, soonestMs } = isBound ? bound : isAwaited ? awaitingWord : alone
    const wait = Math.min(Math.max(waited * share, soonestMs), latestMs)
    await (isAwaited ? sooner(word, wait, signal) : pause(wait, undefined, { signal }).catch(() => {}))
    waited += wait
  }
  return undefined
}

/** What is said, unless it is all over before. */
function first(said: Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  const over = Promise.withResolvers<boolean>()
  const end = () => over.resolve(false)
  signal.addEventListener('abort', end)
  return Promise.race([said, over.promise]).finally(() => signal.removeEventListener('abort', end))
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
