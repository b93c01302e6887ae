import { setTimeout as pause } from 'node:timers/promises'
import { answerMs } from '../engine/engine.ts'

/** An engine that says nothing counts as one that is away, so that what waits for it is tried again when it is heard. */
export async function answered<T>(work: Promise<T>): Promise<T> {
  const waiting = new AbortController()
  const late = pause(answerMs, undefined, { signal: waiting.signal }).then(() => {
    throw Object.assign(new Error(`it said nothing for ${answerMs / 1_000} s`), { code: 'ETIMEDOUT' })
  })
  late.catch(() => {}) // it answered in time
  try {
    return await Promise.race([work, late])
  } finally {
    waiting.abort()
  }
}
