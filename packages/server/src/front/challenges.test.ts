import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTestFront, type TestFront } from '../testing/front.ts'
import { ensureCertificates } from './certificates.ts'
import { createChallenges } from './challenges.ts'
import type { Identity } from './identity.ts'

let folder = ''
let other: Identity
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-proof-'))
  other = await ensureCertificates({ folder, names: ['fal.example.com'], now: Date.now() })
})
afterAll(() => rm(folder, { recursive: true }))

const dial = (at: TestFront, options: ConnectionOptions) =>
  connectTls({ host: '127.0.0.1', port: at.port, rejectUnauthorized: false, servername: 'fal.example.com', ...options })

async function shown(at: TestFront, options: ConnectionOptions = {}) {
  const socket = dial(at, options)
  await once(socket, 'secureConnect')
  const seen = { certificate: new X509Certificate(socket.getPeerCertificate().raw), protocol: socket.alpnProtocol }
  await once(socket.end().resume(), 'close')
  return seen
}

const isOther = ({ certificate }: { certificate: X509Certificate }) =>
  certificate.fingerprint256 === new X509Certificate(other.certPem).fingerprint256

describe('tls-alpn-01', () => {
  const asking = { ALPNProtocols: ['acme-tls/1'] }

  test('is proved to who offers acme-tls/1, and everybody else is served as ever', async () => {
    await using at = await openTestFront()
    using _proof = at.options.challenges.prove({ kind: 'tls-alpn-01', name: 'FAL.example.com', identity: other })
    const proof = await shown(at, asking)
    expect([isOther(proof), proof.protocol]).toEqual([true, 'acme-tls/1'])
    expect(isOther(await shown(at, { ALPNProtocols: ['http/1.1'] }))).toBe(false)
    expect(isOther(await shown(at))).toBe(false)
    await expect.poll(() => at.front.connections).toBe(0)
  })

  test('leaves no connection behind', async () => {
    await using at = await openTestFront()
    using _proof = at.options.challenges.prove({ kind: 'tls-alpn-01', name: 'fal.example.com', identity: other })
    const socket = dial(at, asking)
    await once(socket, 'secureConnect')
    await once(socket.resume(), 'close')
    await expect.poll(() => at.front.connections).toBe(0)
  })

  test('is not proved for a name that nobody asked about, nor when it is over', async () => {
    await using at = await openTestFront()
    {
      using _proof = at.options.challenges.prove({ kind: 'tls-alpn-01', name: 'fal.example.com', identity: other })
      await expect(shown(at, { ...asking, servername: 'else.example.com' })).rejects.toThrow(/./)
    }
    await expect(shown(at, asking)).rejects.toThrow(/./)
    await expect.poll(() => at.front.connections).toBe(0)
  })

  test('takes a greeting that comes in pieces, and cuts one that stops', async () => {
    await using at = await openTestFront({ limits: { greetingMs: 100 } })
    using _proof = at.options.challenges.prove({ kind: 'tls-alpn-01', name: 'fal.example.com', identity: other })
    const socket = at.dial()
    socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1]))
    expect(await text(socket)).toBe('')
    socket.destroy()
    await expect.poll(() => at.front.connections).toBe(0)
  })
})

describe('http-01', () => {
  test('is answered while it is asked for, and for this token alone', async () => {
    const challenges = createChallenges()
    await using at = await openTestFront({
      http: (request, response) => {
        if (!challenges.answer(request, response)) response.writeHead(404).end()
      },
    })
    const answer = async (path: string) => {
      const [response] = await once(get(`http://127.0.0.1:${at.port}${path}`), 'response')
      return [response.statusCode, await text(response)]
    }
    {
      using _proof = challenges.prove({ kind: 'http-01', token: 'token', answer: 'token.thumb' })
      expect(await answer('/.well-known/acme-challenge/token')).toEqual([200, 'token.thumb'])
      expect(await answer('/.well-known/acme-challenge/other')).toEqual([404, ''])
      expect(await answer('/token')).toEqual([404, ''])
    }
    expect(await answer('/.well-known/acme-challenge/token')).toEqual([404, ''])
  })
})

describe('another certificate beside the local one', () => {
  test('is shown for its names alone, also when it comes or changes while the server runs', async () => {
    await using at = await openTestFront()
    expect(isOther(await shown(at))).toBe(false)
    at.options.tls.use(other)
    expect(isOther(await shown(at))).toBe(true)
    expect(isOther(await shown(at, { servername: 'queue.example.com' }))).toBe(false)
    const { certPem } = await ensureCertificates({
      folder,
      names: ['fal.example.com', 'more.example.com'],
      now: Date.now(),
    })
    const keyPem = (
      await ensureCertificates({ folder, names: ['fal.example.com', 'more.example.com'], now: Date.now() })
    ).keyPem
    at.options.tls.use({ certPem, keyPem })
    expect(isOther(await shown(at))).toBe(false)
    expect((await shown(at, { servername: 'more.example.com' })).certificate.raw).toEqual(
      new X509Certificate(certPem).raw,
    )
  })
})
