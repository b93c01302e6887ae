import { DatabaseSync } from 'node:sqlite'
import { setTimeout as rest } from 'node:timers/promises'

/** How often somebody who waits looks again: the kernel does not tell when a lock is given back. */
const lookEveryMs = 100

/**
 * Takes a lock that one process at a time may hold, or answers nothing while another has it. The kernel holds it and
 * gives it back at the end of the process, however that comes. Throws when the file cannot be used.
 */
export function tryFileLock(file: string): Disposable | undefined {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    database.exec('begin exclusive')
    return { [Symbol.dispose]: () => database.close() }
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    throw error
  }
}

/** Waits until nobody else holds the lock, and takes it. `onWait` is called once when there is something to wait for. */
export async function takeFileLock(
  file: string,
  { onWait, signal }: { readonly onWait: () => void; readonly signal: AbortSignal },
): Promise<Disposable> {
  signal.throwIfAborted()
  let lock = tryFileLock(file)
  if (lock === undefined) onWait()
  while (lock === undefined) {
    await rest(lookEveryMs, undefined, { signal })
    lock = tryFileLock(file)
  }
  return lock
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && error.message.includes('locked')
}
