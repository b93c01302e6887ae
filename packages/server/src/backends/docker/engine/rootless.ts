import { CarrickError } from '../../../domain/errors.ts'
import type { Engine } from './engine.ts'
import { type EngineInside, enterEngine } from './inside.ts'

/**
 * The network of an engine that an ordinary user runs; undefined of any other, whose network is the machine's. Throws `bad_request` with
 * what to do where runners could not be kept apart there, or would not reach the platform.
 */
export async function enterRootless({ host, facts }: Engine): Promise<EngineInside | undefined> {
  if (!facts.isRootless) return undefined
  if (facts.kind === 'podman') throw refused(host, 'Podman', 'whose network comes and goes with its containers')
  try {
    return await enterEngine(host)
  } catch (error) {
    throw refused(
      host,
      'Docker',
      `whose network cannot be entered: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

function refused(host: string, name: string, why: string): CarrickError {
  return new CarrickError(
    'bad_request',
    `The engine at ${host} is ${name} without root, ${why}. Runners there could not be kept from one another, nor reach the platform. ` +
      "Run Docker's rootless mode as the user that runs Carrick, or an engine of root's; --backend process needs none",
  )
}
