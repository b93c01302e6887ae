import type { OutgoingMessage } from 'node:http'

/** Above it a copy costs more than a second piece of memory. */
const copiedBytes = 16 * 1024

/**
 * Ends an answer with all that is left of its body. What is small goes out in one piece of memory with the headers, where these are still
 * here: as text, in which Latin-1 has a character for every byte.
 */
export function endInOnePiece(out: OutgoingMessage, body: Uint8Array): void {
  if (body.length > copiedBytes) out.end(body)
  else out.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1')
}
