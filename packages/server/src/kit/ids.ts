import { randomFillSync } from 'node:crypto'
import type { Clock } from './clock.ts'

/** A new UUIDv7 (RFC 9562): 48 bits of time, then chance, so ids made later sort later. */
export function uuidv7(clock: Clock): string {
  const bytes = chance()
  bytes.writeUIntBE(clock.now(), 0, 6)
  bytes[6] = 0x70 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  let at = 0
  for (let place = 0; place < text.length; place += 1) {
    if (place === 8 || place === 13 || place === 18 || place === 23) continue
    const byte = bytes[at >> 1]!
    text[place] = digits[at % 2 === 0 ? byte >> 4 : byte & 0x0f]!
    at += 1
  }
  // Not joined of pieces: such a string holds on to them all, eight times the memory, and queues keep a million of these.
  return text.toString('latin1')
}

const digits = Buffer.from('0123456789abcdef')
const text = Buffer.alloc(36, '-')

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
