import { acceptSocket, closeSoon } from './accept-socket.ts'
import type { Upgrade } from './handshake.ts'

const policyViolation = 1008
const mostBytes = 64 * 1024

/**
 * Turns away somebody whose token is not good any more, in the way that the JavaScript client understands: after this
 * message it fetches another token, while it would keep one whose handshake was refused for ever.
 */
export async function sayUnauthorized(upgrade: Upgrade): Promise<void> {
  const headers = [['x-fal-request-id', upgrade.requestId]] as const
  const socket = await acceptSocket(upgrade, { messageBytes: mostBytes, headers, answersPings: true })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.send(JSON.stringify({ status: 'error', error: 'Unauthorized' }))
  closeSoon(socket, policyViolation, 'The token is wrong, over, or not for this endpoint')
  await closed
}
