import { CarrickError } from '../domain/errors.ts'
import type { GatewayDeps } from './deps.ts'

/** Throws while the platform goes down: then nothing new begins. */
export function taking(deps: GatewayDeps): GatewayDeps {
  if (deps.accepting()) return deps
  throw draining()
}

export const draining = () =>
  new CarrickError('draining', 'This server is shutting down and takes no new requests; try again in a moment')
