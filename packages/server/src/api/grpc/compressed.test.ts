import { connect, constants } from 'node:http2'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openTestControl } from '../../testing/control.ts'

test('a small message that grows beyond the limit when it is unpacked is refused', async () => {
  await using control = await openTestControl({ messageLimit: 1_000_000 })
  const packed = gzipSync(Buffer.alloc(50_000_000))
  expect(packed.length).toBeLessThan(100_000)
  const head = Buffer.alloc(5)
  head.writeUInt8(1) // it is compressed
  head.writeUInt32BE(packed.length, 1)
  const [id = '', secret = ''] = control.keys.ann.split(':')
  const session = connect(`http://127.0.0.1:${control.port}`)
  const stream = session.request({
    ':method': 'POST',
    ':path': '/controller.IsolateController/RegisterApplication',
    'content-type': 'application/grpc',
    'grpc-encoding': 'gzip',
    te: 'trailers',
    'auth-key-id': id,
    'auth-key': secret,
  })
  const status = new Promise((resolve) => {
    const tell = (headers: Readonly<Record<string, unknown>>) =>
      headers['grpc-status'] !== undefined && resolve(headers['grpc-status'])
    stream.on('response', tell).on('trailers', tell)
  })
  stream.end(Buffer.concat([head, packed]))
  void buffer(stream).catch(() => {})
  expect(await status).toBe('8') // RESOURCE_EXHAUSTED
  stream.close(constants.NGHTTP2_NO_ERROR)
  session.close()
})
