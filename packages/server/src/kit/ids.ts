import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'

/** A new UUIDv7 (RFC 9562): 48 bits of time, then chance, so ids made later sort later. */
export function uuidv7(clock: Clock): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(clock.now(), 0, 6)
  bytes[6] = 0x70 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  const hex = bytes.toString('hex')
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  // A joined string holds on to all its pieces, eight times the memory: queues keep a million of these.
  return Buffer.from(id, 'latin1').toString('latin1')
}
