import { CarrickError } from '../domain/errors.ts'
import type { Caller } from '../domain/permissions.ts'
import { uuidv7 } from '../kit/ids.ts'
import { beginEvent, endEvent } from '../store/events.ts'
import type { Deps } from './deps.ts'

/** How a change is told: one verb, and what it was done to. Never the value of a secret or a key. */
export interface Audit<Input, Output> {
  readonly action: string
  /** Called before the change without its output, and after it with it. */
  readonly about: (input: Input, output?: Output) => Subject
}

/** What was changed, by a name that a person knows, and what else they may want to know of it. */
export interface Subject {
  readonly subject: string
  readonly [detail: string]: unknown
}

interface Change<Input, Output> {
  readonly deps: Pick<Deps, 'store' | 'clock' | 'log'>
  readonly caller: Caller
  readonly audit: Audit<Input, Output>
  readonly input: Input
}

/** Makes a change. That it was begun is on disk before; how it ended follows, and a crash in between shows as neither. */
export async function recorded<Input, Output>(
  { deps, caller, audit, input }: Change<Input, Output>,
  work: () => Promise<Output>,
): Promise<Output> {
  const { store, clock } = deps
  const { accountId, keyId } = caller
  const id = uuidv7(clock)
  const begun = { id, accountId, keyId, at: clock.now(), action: audit.action, ...audit.about(input) }
  await store.commit(beginEvent(begun))
  try {
    const output = await work()
    await ended(deps, id, { outcome: 'done', at: clock.now(), ...audit.about(input, output) })
    return output
  } catch (error) {
    const why = error instanceof Error ? shortened(error.message) : ''
    const more = error instanceof CarrickError ? error.about : {}
    await ended(deps, id, { outcome: 'failed', at: clock.now(), ...audit.about(input), ...more, why })
    throw error
  }
}

const mostCharacters = 2_000

/** Its beginning, which says what failed, and its end: the last words of what failed tell most. */
function shortened(message: string): string {
  if (message.length <= mostCharacters) return message
  const head = message.slice(0, mostCharacters / 4)
  return `${head}\n[…]\n${message.slice(-mostCharacters + head.length)}`
}

/** The change is made or refused already: that it could not be noted changes nothing about it. */
async function ended({ store, log }: Pick<Deps, 'store' | 'log'>, id: string, how: Parameters<typeof endEvent>[1]) {
  await store
    .commit(endEvent(id, how))
    .catch((error: unknown) => log.error({ err: error, event: id }, 'how a change ended could not be noted'))
}
