import { describe, expect, test } from 'vitest'
import { chosenOf, spokenBy } from './greeting.ts'

describe('the first bytes tell what a connection speaks', () => {
  test.each([
    ['a TLS handshake record', '\x16\x03\x01', 'tls'],
    ['one byte of a TLS handshake', '\x16', 'tls'],
    ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'grpc'],
    ['its first four bytes', 'PRI ', 'grpc'],
    ['three bytes that may become either', 'PRI', undefined],
    ['a P', 'P', undefined],
    ['nothing yet', '', undefined],
    ['POST', 'POST / HTTP/1.1\r\n', 'http'],
    ['PO', 'PO', 'http'],
    ['PROPFIND', 'PROPFIND', 'http'],
    ['GET', 'G', 'http'],
    ['garbage', '\x00\xff\x80', 'http'],
  ])('%s', (_name, bytes, spoken) => {
    expect(spokenBy(Buffer.from(bytes, 'latin1'))).toBe(spoken)
  })
})

describe('of the protocols that a TLS client offers', () => {
  test.each([
    [['h2', 'http/1.1'], 'http/1.1'],
    [['http/1.1', 'h2'], 'http/1.1'],
    [['http/1.1'], 'http/1.1'],
    [['h2'], 'h2'],
    [['grpc-exp', 'h2'], 'h2'],
    [['spdy/3'], undefined],
  ])('%j is answered with %s', (offered, chosen) => {
    expect(chosenOf(offered)).toBe(chosen)
  })
})
