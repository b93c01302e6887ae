import { CarrickError } from '../../domain/errors.ts'

/** What an app says of itself is in memory as long as the app is there, and read at each start of the server. */
export const mostMetadataBytes = 4 * 1024 * 1024
/** The same of what its environment is made of. */
export const mostEnvironmentBytes = 4 * 1024 * 1024
/** The text of an app's file is for display alone: of a larger one nothing is kept. */
const mostSourceBytes = 1024 * 1024

/** Throws `bad_request` for what is larger than that as JSON. `what` is the subject of the sentence. */
export function requireSmall(what: string, value: unknown, mostBytes: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes <= mostBytes) return
  const mib = (amount: number) => `${Math.round((amount * 10) / (1024 * 1024)) / 10} MiB`
  throw new CarrickError('bad_request', `${what} may be ${mib(mostBytes)} of JSON at most, and came with ${mib(bytes)}`)
}

export const isKeptSource = (text: string): boolean => Buffer.byteLength(text) <= mostSourceBytes
