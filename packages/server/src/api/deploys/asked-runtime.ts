import { runtimeAsked } from '../../domain/annotations.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { Deps } from '../deps.ts'

/** Throws `bad_request` for a runtime that its runners could not be run by. */
export function requireRuntime(
  { requireRuntime: require }: Pick<Deps, 'requireRuntime'>,
  metadata: Readonly<Record<string, unknown>>,
): void {
  const wanted = runtimeAsked(metadata)
  if (wanted === undefined) return
  if (require !== undefined) return require(wanted)
  throw new CarrickError(
    'bad_request',
    `This app asks for the runtime "${wanted}" (annotation carrick.runtime), and runners here are processes: --backend docker has runtimes`,
  )
}
