import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { expect, test } from 'vitest'
import { listeningIn, whenListening } from './listening.ts'

/** As the kernel writes it: a heading, then a line for each socket. */
const table = (...sockets: readonly (readonly [local: string, state: string])[]) =>
  [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid',
    ...sockets.map(
      ([local, state], index) => `   ${index}: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000`,
    ),
  ].join('\n')

const v6 = (end: string) => end.padStart(32, '0')

test.each([
  ['nothing', table(), 'nobody'],
  ['another port', table(['00000000:1F91', '0A']), 'nobody'],
  ['a connection at that port', table(['00000000:1F90', '01']), 'nobody'],
  ['all addresses', table(['00000000:1F90', '0A']), 'everywhere'],
  ['an address of the container', table(['020011AC:1F90', '0A']), 'everywhere'],
  ['all addresses of both kinds', table([`${v6('')}:1F90`, '0A']), 'everywhere'],
  ['127.0.0.1', table(['0100007F:1F90', '0A']), 'loopback'],
  ['127.0.0.9', table(['0900007F:1F90', '0A']), 'loopback'],
  ['::1', table([`${v6('01000000')}:1F90`, '0A']), 'loopback'],
  ['::ffff:127.0.0.1', table([`${v6('FFFF00000100007F')}:1F90`, '0A']), 'loopback'],
  ['127.0.0.1 and another', table(['0100007F:1F90', '0A'], ['020011AC:1F90', '0A']), 'everywhere'],
])('who listens at %s is told', (_, sockets, expected) => {
  expect(listeningIn(sockets, 8_080)).toBe(expected)
})

test('where the sockets cannot be read, a connection that stays open is a listener, and one that is let go of is none', async () => {
  const nothingHidden = () => {}
  const { signal } = new AbortController()
  const lets = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  const keeps = createServer(() => {}).listen(0, '127.0.0.1')
  await Promise.all([once(lets, 'listening'), once(keeps, 'listening')])
  const at = (server: Server) => ({
    port: 1,
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
  })
  expect(await whenListening(at(keeps), nothingHidden, signal)).toBe(true)
  expect(await whenListening(at(lets), nothingHidden, AbortSignal.timeout(500))).toBe(false)
  for (const server of [lets, keeps]) server.close()
})
