import type { IncomingMessage } from 'node:http'
import type { Connection } from '../domain/addresses.ts'

/** How this request reached us. */
export function connectionOf({ socket, headers }: IncomingMessage): Connection {
  return { secure: 'encrypted' in socket && socket.encrypted === true, authority: headers.host }
}
