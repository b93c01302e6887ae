import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { ErrorCode } from '../domain/errors.ts'
import type { HeaderPairs } from '../domain/request.ts'
import { messageOf } from './message.ts'

const mostBytes = 100_000

interface Given {
  readonly status?: number
  readonly headers?: HeaderPairs
  readonly error?: { readonly code: ErrorCode; readonly message: string }
  /** Whether the result is stored beside the row. */
  readonly apart?: boolean
  readonly original?: string
}

/** What the receiver gets, and whether it is what was promised of it. */
async function sent(
  result: string | Uint8Array | undefined,
  { status = 200, headers = [], error, apart, original }: Given = {},
) {
  const bytes = Buffer.from(result ?? '')
  const blobs = { open: async () => Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]) }
  const body = apart ? { blob: 'key', length: bytes.length } : { inline: bytes }
  const message = await messageOf(
    { id: 'request-1', status, original, ...(error && { error }) },
    result === undefined ? undefined : { status, headers, body },
    { blobs, mostBytes },
  )
  for (const _ of [1, 2]) {
    const opened = await message.open()
    const whole = opened instanceof Readable ? await buffer(opened) : Buffer.from(opened)
    expect(whole.length).toBe(message.length)
    expect(createHash('sha256').update(whole).digest('hex')).toBe(message.sha256)
  }
  const opened = await message.open()
  return String(opened instanceof Readable ? await buffer(opened) : Buffer.from(opened))
}

const ids = { request_id: 'request-1', gateway_request_id: 'request-1' }
const ok = { ...ids, status: 'OK' }

test.each([false, true])('a result is carried byte by byte (stored apart: %s)', async (apart) => {
  const text = '{ "big": 12345678901234567890.10,  "text": "ü" }'
  expect(await sent(text, { apart })).toBe(
    `{"request_id":"request-1","gateway_request_id":"request-1","status":"OK","payload":${text},"error":null}`,
  )
})

test('a request that sends another again names that one as well', async () => {
  expect(JSON.parse(await sent('1', { original: 'request-0' }))).toMatchObject({
    request_id: 'request-1',
    gateway_request_id: 'request-0',
  })
})

test.each<[string, Given, string, object]>([
  [
    'an error of the app',
    { status: 422 },
    '{"detail":[]}',
    { error: 'Invalid status code: 422', payload: { detail: [] } },
  ],
  [
    'an error of the platform',
    { status: 499, error: { code: 'client_cancelled', message: 'The request was cancelled' } },
    '{"detail":"x"}',
    { error: 'The request was cancelled', payload: { detail: 'x' } },
  ],
  ['a redirect of the app', { status: 302 }, 'null', { error: 'Invalid status code: 302', payload: null }],
])('%s is told with its body', async (_what, given, body, more) => {
  expect(JSON.parse(await sent(body, given))).toEqual({ ...ids, status: 'ERROR', ...more })
})

const packings = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync }
test.each(Object.entries(packings))('a result that the app packed with %s is unpacked', async (name, pack) => {
  const headers = [['content-encoding', name]] as const
  for (const apart of [false, true])
    expect(JSON.parse(await sent(pack('{"a":1}'), { headers, apart }))).toEqual({
      ...ok,
      payload: { a: 1 },
      error: null,
    })
})

test.each<[string, string | Uint8Array | undefined, HeaderPairs, RegExp]>([
  ['no JSON', 'hello', [], /not JSON/],
  ['two values', '{}{}', [], /not JSON/],
  ['empty', '', [], /empty/],
  ['JSON in another encoding', Buffer.from([0x22, 0xff, 0x22]), [], /not JSON/],
  ['a mark before it', '\ufeff{}', [], /not JSON/],
  ['too large', `"${'x'.repeat(mostBytes)}"`, [], /larger than the 100000 bytes/],
  ['a bomb', gzipSync(`"${'x'.repeat(10 * mostBytes)}"`), [['content-encoding', 'gzip']], /larger than the 100000/],
  ['badly packed', '{}', [['content-encoding', 'gzip']], /unpacked/],
  ['cut off', gzipSync('{"a":1}').subarray(0, 12), [['content-encoding', 'gzip']], /unpacked/],
  ['badly packed otherwise', '{}', [['content-encoding', 'br']], /unpacked/],
  ['badly packed otherwise', '{}', [['content-encoding', 'zstd']], /unpacked/],
  ['packed twice', '{}', [['content-encoding', 'gzip, br']], /cannot be undone here: gzip, br/],
  ['gone', undefined, [], /kept no longer/],
])('of a result that is %s the message says so', async (_what, result, headers, why) => {
  for (const apart of [false, true]) {
    expect(JSON.parse(await sent(result, { headers, apart }))).toEqual({
      ...ok,
      payload: null,
      error: null,
      payload_error: expect.stringMatching(why) as string,
    })
  }
})

test('a large message holds its file from the first byte that is read to the last, or until it is let go of', async () => {
  const opened: Readable[] = []
  const open = async () => {
    opened.push(Readable.from([Buffer.from('['), Buffer.from('1]')]))
    return opened.at(-1)!
  }
  const result = { status: 200, headers: [], body: { blob: 'key', length: 40_000 } }
  const message = await messageOf({ id: 'r', status: 200 }, result, { blobs: { open }, mostBytes })
  const [unread, halfway] = [await message.open(), await message.open()] as Readable[]
  unread?.destroy()
  for await (const chunk of halfway ?? []) if (String(chunk) === '[') break
  expect(opened.map(({ destroyed }) => destroyed)).toEqual([true, true])
})

test('a result that cannot be read is no message', async () => {
  const blobs = { open: () => Promise.reject(new Error('ENOENT')) }
  const result = { status: 200, headers: [], body: { blob: 'gone', length: 40_000 } }
  await expect(messageOf({ id: 'r', status: 200 }, result, { blobs, mostBytes })).rejects.toThrow('ENOENT')
})
