import { setTimeout as pause } from 'node:timers/promises'

const againMs = 100
const mostMs = 120_000

export interface PatientDoor {
  readonly open: () => Promise<AsyncDisposable>
  /** It is not open, and will not be. */
  readonly failed: (error: unknown) => void
}

/**
 * Opens a door, now or as soon as that can be: an engine may give a network its address with the first container there (Podman does). Resolves after the first
 * try. Letting go of it closes it, or ends the trying.
 */
export async function patientDoor({ open, failed }: PatientDoor): Promise<AsyncDisposable> {
  const first = await open().catch(() => undefined)
  if (first !== undefined) return first
  const leaving = new AbortController()
  const opened = again(open, leaving.signal).catch((error: unknown) => {
    if (!leaving.signal.aborted) failed(error)
    return undefined
  })
  return {
    async [Symbol.asyncDispose]() {
      leaving.abort()
      await (await opened)?.[Symbol.asyncDispose]()
    },
  }
}

async function again(open: PatientDoor['open'], signal: AbortSignal): Promise<AsyncDisposable> {
  for (const until = performance.now() + mostMs; ;) {
    await pause(againMs, undefined, { signal, ref: false })
    try {
      return await open()
    } catch (error) {
      if (performance.now() > until) throw error
    }
  }
}
