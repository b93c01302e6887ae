import { ReadableStream } from 'node:stream/web'
import { expect, test } from 'vitest'
import { eventsOf } from './events.js'

test('events are told apart however the text is cut, and what only keeps the connection open is none', async () => {
  const text = 'data: {"a": "ö"}\n\n: still here\n\nevent: error\ndata: one\ndata: two\n\ndata: cut'
  const bytes = new TextEncoder().encode(text)
  for (const size of [1, 2, 7, 1_000]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.slice(at * size, (at + 1) * size),
    )
    const events = await Array.fromAsync(eventsOf(new Response(ReadableStream.from(pieces) as unknown as BodyInit)))
    expect(events).toEqual([
      { name: 'message', data: '{"a": "ö"}' },
      { name: 'error', data: 'one\ntwo' },
    ])
  }
})
