import type { IncomingMessage } from 'node:http'
import type { Connection } from '../domain/addresses.ts'
import { authorityOf, isSecure } from '../kit/secure.ts'

/** How this request reached us. */
export function connectionOf(req: IncomingMessage): Connection {
  return { secure: isSecure(req), authority: authorityOf(req) }
}
