import { createHash } from 'node:crypto'
import type { AccountId } from './ids.ts'

/** What an app is told about who calls. Other accounts than its own are told apart by it, and not known by it. */
export function callerIdOf(callerId: AccountId | undefined, app: { readonly accountId: AccountId }): string {
  if (callerId === undefined) return 'anonymous'
  if (callerId === app.accountId) return callerId
  return createHash('sha256').update(callerId).digest('hex')
}
