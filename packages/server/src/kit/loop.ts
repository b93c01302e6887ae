import type { Logger } from './logger.ts'

/** A running loop. `wake` makes the next pass come now; `stop` ends it after the pass that is under way. */
export interface Loop {
  wake(): void
  stop(): Promise<void>
}

/**
 * Runs `pass` again and again: at once when woken, else every `everyMs`. Passes never overlap, and a wake during a
 * pass causes one more. A pass that throws is reported and does not end the loop.
 */
export function startLoop(
  pass: (signal: AbortSignal) => Promise<void>,
  { name, everyMs, log }: { name: string; everyMs: number; log: Logger },
): Loop {
  const stopping = new AbortController()
  let woken = true
  let ring = () => {}

  async function rest(): Promise<void> {
    if (woken || stopping.signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, everyMs)
      ring = () => (clearTimeout(timer), resolve())
    })
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      woken = false
      await pass(stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted)
          log.error({ err: error, loop: name }, `a pass of the ${name} failed; it will be repeated`)
      })
      await rest()
    }
  }

  const ended = run()
  return {
    wake: () => ((woken = true), ring()),
    stop: () => (stopping.abort(), ring(), ended),
  }
}
