import type { Container } from 'dockerode'
import { setTimeout as pause } from 'node:timers/promises'
import { answerMs, isAway, unless, wordsOf } from '../engine/engine.ts'

const retryMs = 100

/**
 * Sends a container a signal; one that is gone already is left alone. One that is stopped in its tracks hears nothing, and some
 * engines refuse to end it: it goes on first.
 */
export async function signalTo(container: Container, name: string, signal: AbortSignal): Promise<void> {
  const abortSignal = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  try {
    await unless([404, 409], container.kill({ signal: name, abortSignal }))
  } catch (error) {
    if (!/paused/.test(wordsOf(error))) throw error
    await container.unpause({ abortSignal })
    await unless([404, 409], container.kill({ signal: name, abortSignal }))
  }
}

/** Lets a container go on, once the engine is there. `living` answers undefined when it has ended, which is as well. */
export async function unpause(living: () => Container | undefined, signal: AbortSignal): Promise<void> {
  for (;;) {
    const container = living()
    signal.throwIfAborted()
    if (container === undefined) return
    try {
      return void (await unless([404], container.unpause({ abortSignal: signal })))
    } catch (error) {
      if (/not paused/i.test(wordsOf(error))) return
      if (!isAway(error)) throw error
      await pause(retryMs, undefined, { signal })
    }
  }
}
