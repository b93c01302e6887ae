import type { Clock } from '../kit/clock.ts'
import { uuidv7 } from '../kit/ids.ts'
import { beginEvent, endEvent } from '../store/events.ts'
import type { Write } from '../store/store.ts'
import type { Visitor } from './access.ts'

interface Change {
  readonly action: 'push_image' | 'delete_image'
  /** `owner/name:tag`, or by digest. */
  readonly subject: string
  readonly [detail: string]: unknown
}

/**
 * What a key has changed here, for its account's record of changes: writes for the same commit. What the server itself
 * pushes belongs to a deploy, which is noted.
 */
export function notes({ key }: Visitor, clock: Clock, change: Change): readonly Write<unknown>[] {
  if (key === undefined) return []
  const [id, at] = [uuidv7(clock), clock.now()]
  const { action, subject, ...detail } = change
  return [beginEvent({ ...key, id, at, action, subject, ...detail }), endEvent(id, { outcome: 'done', at, ...detail })]
}
