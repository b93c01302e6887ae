import type { Duplex } from 'node:stream'

/** Where the front hands a connection to, once it knows what the connection speaks. */
export interface Door {
  /** Takes the connection over. `secure` when it came through TLS, which is already opened. */
  connect(socket: Duplex, secure: boolean): void
  /** Ends idle connections now, and every other one after the exchanges that it is in. */
  drain(): void
}
