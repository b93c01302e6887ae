import type { Exit } from '../../../domain/runner.ts'

/** How a container ended, and what is known of its memory. */
export interface Ending {
  readonly exit: Exit
  /** The platform ended it. */
  readonly isKilled: boolean
  /** The platform asked it to end. */
  readonly isAsked: boolean
  /** How long ago the kernel last ended a process in it for want of memory. */
  readonly ranOutMsAgo?: number
  /** The engine's own word, which it also has for a container where that happened long before. */
  readonly isSaidToHaveRunOut: boolean
}

/** A program whose worker was ended for its memory takes a moment to fall over it. */
const recentMs = 10_000

/** Whether it ended for want of memory. */
export function ranOutOfMemory({ exit, isKilled, isAsked, ranOutMsAgo, isSaidToHaveRunOut }: Ending): boolean {
  if (isKilled || exit.code === 0) return false
  if (isAsked && exit.signal !== 'SIGKILL') return false
  if (ranOutMsAgo !== undefined && ranOutMsAgo <= recentMs) return true
  return isSaidToHaveRunOut && exit.signal === 'SIGKILL' && !isAsked
}
