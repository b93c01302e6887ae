import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { apart, FrameReader } from './frames.ts'

const frame = (stream: 1 | 2, data: string) => {
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(Buffer.byteLength(data), 4)
  return Buffer.concat([header, Buffer.from(data)])
}
const bytes = Buffer.concat([frame(1, 'grüß'), frame(2, 'trouble'), frame(1, ''), frame(1, ' dich')])

test.each([1, 3, 8, 11, bytes.length])('frames are taken apart wherever they are cut: every %i bytes', (size) => {
  const reader = new FrameReader()
  const said = { stdout: '', stderr: '' }
  for (let at = 0; at < bytes.length; at += size) {
    for (const { stream, data } of reader.read(bytes.subarray(at, at + size))) said[stream] += data.toString('latin1')
  }
  expect(Buffer.from(said.stdout, 'latin1').toString()).toBe('grüß dich')
  expect(said.stderr).toBe('trouble')
})

test('both pipes end with the connection, and what nobody reads yet is not read ahead', async () => {
  const connection = new PassThrough()
  const pipes = apart(connection)
  const much = 'x'.repeat(1_000_000)
  connection.end(Buffer.concat([frame(1, much), frame(2, 'end')]))
  await expect.poll(() => connection.isPaused()).toBe(true)
  const [stdout, stderr] = await Promise.all([text(pipes.stdout), text(pipes.stderr)])
  expect([stdout.length, stderr]).toEqual([much.length, 'end'])
})
