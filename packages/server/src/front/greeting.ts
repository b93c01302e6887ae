/** What a connection speaks. TLS is opened first; what it holds is then told apart by ALPN. */
export type Spoken = 'tls' | 'grpc' | 'http'

const tlsHandshakeRecord = 0x16
const recordHeaderBytes = 5
const mostRecordBytes = 16 * 1024 + recordHeaderBytes
/** The protocol that a TLS client offers which asks for a proof (RFC 8737), as it stands in its first message. */
const acmeOffer = Buffer.from('\x0aacme-tls/1', 'latin1')
const prefaceStart = Buffer.from('PRI ')

/** What a connection that begins with these bytes speaks; undefined while more bytes are needed to tell. */
export function spokenBy(first: Uint8Array): Spoken | undefined {
  if (first.length === 0) return undefined
  if (first[0] === tlsHandshakeRecord) return 'tls'
  const compared = Math.min(first.length, prefaceStart.length)
  if (!prefaceStart.subarray(0, compared).equals(first.subarray(0, compared))) return 'http'
  return compared === prefaceStart.length ? 'grpc' : undefined
}

/**
 * The protocol to answer to a TLS client's offer. HTTP/1.1 whenever it is offered: curl and browsers offer both, and
 * only a gRPC client offers h2 alone.
 */
export function chosenOf(offered: readonly string[]): string | undefined {
  return ['http/1.1', 'h2'].find((protocol) => offered.includes(protocol))
}

/** Whether a TLS connection that begins with these bytes offers `acme-tls/1`; undefined while more bytes are needed to tell. */
export function offersProof(first: Buffer): boolean | undefined {
  const length = first.length < recordHeaderBytes ? recordHeaderBytes : recordHeaderBytes + first.readUInt16BE(3)
  if (first.length < Math.min(length, mostRecordBytes)) return undefined
  return first.includes(acmeOffer)
}
