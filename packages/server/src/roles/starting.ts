import type { Readiness } from '../doors.ts'
import type { Foundation } from '../foundation.ts'
import type { Addresses } from '../runtime/runtime.ts'

/** What every role is started with. */
export interface Starting {
  readonly foundation: Foundation
  readonly addresses: Addresses
  readonly readiness: () => Readiness
  /** Stops what was started, in reverse. */
  readonly closing: AsyncDisposableStack
}
