import type { Keyring } from '../access/keyring.ts'
import { CarrickError } from '../domain/errors.ts'
import type { Caller } from '../domain/permissions.ts'

/** Aborts when the caller's key counts no more; absent where nobody showed one. */
export function endOf(
  { keyring }: { readonly keyring: Pick<Keyring, 'endOf'> },
  caller: Caller | undefined,
): AbortSignal | undefined {
  return caller && keyring.endOf(caller.keyId)
}

/**
 * The same steps while the key that opened the stream counts: what a revoked key had open fails with `unauthenticated`
 * at once, whether there is a next step or not.
 */
export async function* whileKeyed<Step, Result>(
  ends: AbortSignal | undefined,
  steps: AsyncGenerator<Step, Result>,
): AsyncGenerator<Step, Result> {
  const wait: { reject?: (error: Error) => void } = {}
  const tell = () => wait.reject?.(keyRevoked())
  ends?.addEventListener('abort', tell)
  try {
    for (;;) {
      const step = await new Promise<IteratorResult<Step, Result>>((resolve, reject) => {
        wait.reject = reject
        if (ends?.aborted === true) tell()
        else steps.next().then(resolve, reject)
      })
      if (step.done === true) return step.value
      yield step.value
    }
  } finally {
    ends?.removeEventListener('abort', tell)
    const left = steps.return(undefined as never) // it ends after the step that it is at
    if (ends?.aborted === true) left.catch(() => {})
    else await left
  }
}

/** What the holder of a key hears whose stream ended with the key. */
export function keyRevoked(): CarrickError {
  return new CarrickError('unauthenticated', 'The key was revoked, and what it had open ended with it: use another key')
}
