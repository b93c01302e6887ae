import { randomFillSync } from 'node:crypto'
import type { Clock } from './clock.ts'

/** A new UUIDv7 (RFC 9562): 48 bits of time, then chance, so ids made later sort later. */
export function uuidv7(clock: Clock): string {
  const bytes = chance()
  bytes.writeUIntBE(clock.now(), 0, 6)
  bytes[6] = 0x70 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  const hex = bytes.toString('hex')
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  // A joined string holds on to all its pieces, eight times the memory: queues keep a million of these.
  return Buffer.from(id, 'latin1').toString('latin1')
}

/** Chance is asked for by the page: each request takes an id. */
const page = Buffer.alloc(4_096)
let used = page.length

/** 16 bytes that nobody else gets. */
function chance(): Buffer {
  if (used === page.length) {
    randomFillSync(page)
    used = 0
  }
  return page.subarray(used, (used += 16))
}
