import { CarrickError } from '../../../domain/errors.ts'

export interface RuntimeChoice {
  /** What the engine has. */
  readonly known: readonly string[]
  /** For apps that name none; empty is the engine's own. */
  readonly standard: string
  /** Those that an app may name. */
  readonly allowed: readonly string[]
}

/** Throws a sentence when the installation's own runtime is none of the engine's. */
export function checkStandard({ known, standard }: RuntimeChoice): void {
  if (standard !== '' && !known.includes(standard))
    throw new Error(
      `CARRICK_CONTAINER_RUNTIME is "${standard}", and the container engine has ${listed(known)}: add it to the engine's runtimes`,
    )
}

/** The runtime of an app. An app may choose a stronger wall only among those that the operator lists. */
export function runtimeOf(wanted: string | undefined, { known, standard, allowed }: RuntimeChoice): string | undefined {
  if (wanted === undefined || wanted === standard) return standard === '' ? undefined : standard
  if (!allowed.includes(wanted))
    throw new CarrickError(
      'bad_request',
      `The runtime "${wanted}" (annotation carrick.runtime) is not among those that apps may choose here: ${listed(allowed)}`,
    )
  if (!known.includes(wanted))
    throw new CarrickError(
      'bad_request',
      `The container engine here has no runtime "${wanted}" (annotation carrick.runtime), but ${listed(known)}`,
    )
  return wanted
}

/** Those whose containers are processes of the machine's own kernel. */
const sharing = new Set([
  '',
  'runc',
  'crun',
  'youki',
  'nvidia',
  'io.containerd.runc.v2',
  'io.containerd.runtime.v1.linux',
])

/** Whether its sockets are those of a kernel of its own (gVisor, Kata), which the machine's does not know. */
export const hasOwnKernel = (runtime: string | undefined): boolean => !sharing.has(runtime ?? '')

const listed = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '))
