import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Carrick } from './carrick.ts'

/** Everything that this server speaks, on its one port. */
describe('one port', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('sockets.py::Sockets', 'sockets')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const authority = () => new URL(carrick.url).host
  const ca = () => readFile(carrick.variables['SSL_CERT_FILE'] ?? '')
  const dial = (): Socket => {
    const { hostname, port } = new URL(carrick.url)
    return connect({ host: hostname, port: Number(port), allowHalfOpen: true }).on('error', () => {})
  }

  describe('curl', () => {
    const curl = async (...args: string[]) => {
      const said = ['--silent', '--show-error', '--write-out', '|%{http_version}|%{http_code}']
      const { stdout } = await promisify(execFile)('curl', [...said, ...args])
      return stdout
    }

    test.each(['http', 'https'])('gets HTTP/1.1 over %s, whatever it offers', async (scheme) => {
      const trust = ['--cacert', carrick.variables['SSL_CERT_FILE'] ?? '', '--http2']
      expect(await curl(...trust, `${scheme}://${authority()}/healthz`)).toBe('ok\n|1.1|200')
      expect(await curl(...trust, `${scheme}://${authority()}/readyz`)).toBe('ready\n|1.1|200')
    })

    test('reaches it by number as by name', async () => {
      const trust = ['--cacert', carrick.variables['SSL_CERT_FILE'] ?? '']
      expect(await curl(...trust, `https://127.0.0.1:${new URL(carrick.url).port}/healthz`)).toBe('ok\n|1.1|200')
    })
  })

  describe('gRPC by the stock fal command', () => {
    test('over TLS', async () => {
      const { code, stdout } = await carrick.fal('apps', 'list', '--json')
      expect([code, stdout]).toEqual([0, expect.stringContaining('sockets')])
    })

    test('in the clear', async () => {
      const { code, stdout } = await carrick.falWith({ ISOLATE_TEST_MODE: '1' }, 'apps', 'list', '--json')
      expect([code, stdout]).toEqual([0, expect.stringContaining('sockets')])
    })
  })

  test.each([
    [['h2', 'http/1.1'], 'http/1.1'],
    [['h2'], 'h2'],
  ])('a TLS client that offers %j is given %s', async (offered, given) => {
    const { hostname, port } = new URL(carrick.url)
    const socket = connectTls({ host: hostname, port: Number(port), ca: await ca(), ALPNProtocols: offered })
    await once(socket, 'secureConnect')
    expect(socket.alpnProtocol).toBe(given)
    socket.destroy()
  })

  describe('a WebSocket of an app', () => {
    const open = async (scheme: string, key: string) => {
      const headers = { authorization: `Key ${key}` }
      return new WebSocket(`${scheme}://${authority()}/tester/sockets/ws`, { ca: await ca(), headers })
    }

    test.each(['ws', 'wss'])('opens over %s and carries words both ways', async (scheme) => {
      const socket = await open(scheme, carrick.variables['FAL_KEY'] ?? '')
      await once(socket, 'open')
      socket.send('hello')
      expect(String((await once(socket, 'message'))[0])).toBe('heard hello')
      socket.close(1000)
      expect((await once(socket, 'close'))[0]).toBe(1000)
    })

    test('stays closed to a wrong key', async () => {
      const socket = await open('wss', 'somebody:else')
      const [, answer] = await once(socket, 'unexpected-response')
      expect(answer.statusCode).toBe(401)
      socket.on('error', () => {}).terminate()
    })
  })

  describe('x-fal-target-url', () => {
    const asked = (target: string) => carrick.ask('/', { headers: { 'x-fal-target-url': target } })

    test('leads to what the host in it stands for', async () => {
      expect(await (await asked('https://rest.fal.ai/users/current')).json()).toMatchObject({ nickname: 'tester' })
    })

    test.each([
      'https://example.com/tester/sockets',
      'http://169.254.169.254/latest/meta-data',
      'https://fal.run.example.com/tester/sockets',
      'https://fal.run:8443/tester/sockets',
      'file:///etc/passwd',
      'no url',
    ])('to %s is refused', async (target) => {
      const refused = await asked(target)
      expect(refused.status).toBe(400)
      expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('x-fal-target-url') })
    })
  })

  describe('a bad connection is closed:', () => {
    // Ten seconds each, at the same time.
    test.concurrent.each([
      ['nothing', ''],
      ['half a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc'],
      ['the greeting of HTTP/2 and no more', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ])('one that says %s', async (_what, bytes) => {
      const [silent, half] = [dial(), dial()]
      silent.write(Buffer.from(bytes, 'latin1'))
      half.end(Buffer.from(bytes, 'latin1'))
      await Promise.all([text(silent), text(half)])
    })

    test.each([
      ['garbage', '\x00\xff\x80garbage\r\n\r\n', /^HTTP\/1\.1 400 /],
      ['headers without end', `GET / HTTP/1.1\r\nhost: x\r\nlarge: ${'x'.repeat(200_000)}`, /^HTTP\/1\.1 431 /],
    ])('one with %s, and told why', async (_what, bytes, answer) => {
      const socket = dial()
      socket.write(Buffer.from(bytes, 'latin1'))
      expect(await text(socket)).toMatch(answer)
    })

    test('one that ends its half in the middle of its headers', async () => {
      const socket = dial()
      socket.end('GET /healthz HTTP/1.1\r\nhost: x\r\n')
      expect(await text(socket)).not.toContain('200')
    })

    test('but one that ends its half after a whole request is answered', async () => {
      const socket = dial()
      socket.end('GET /healthz HTTP/1.0\r\n\r\n')
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*ok\n$/)
    })

    test('and the server goes on', async () => expect((await carrick.ask('/healthz')).status).toBe(200))
  })
})
