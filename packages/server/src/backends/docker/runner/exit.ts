import { constants } from 'node:os'
import type { Exit } from '../../../domain/runner.ts'

/** Above this an exit code tells a signal, as shells have it: engines know no other way to tell one. */
const signalled = 128
const names = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

/** How a container ended, from the code that the engine tells; null where it tells none. */
export function exitOf(code: number | null): Exit {
  const signal = code === null ? undefined : names.get(code - signalled)
  return signal === undefined ? { code, signal: null } : { code: null, signal }
}
