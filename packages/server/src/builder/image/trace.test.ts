import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { StatusResponseSchema } from '@carrick/protocol/gen/buildkit_status_pb.js'
import { expect, test } from 'vitest'
import { Trace } from './trace.ts'

const started = timestampFromMs(1_000)
const completed = timestampFromMs(2_000)

/** A trace, what it said, and how an entry comes in. */
function listen() {
  const lines: string[] = []
  const trace = new Trace((line) => lines.push(line))
  const take = (entry: Parameters<typeof create<typeof StatusResponseSchema>>[1]) =>
    trace.take(create(StatusResponseSchema, entry))
  return { lines, trace, take }
}

const log = (vertex: string, text: string) => ({ vertex, stream: 1n, msg: Buffer.from(text) })

test('a step is named once, without what it mounts, and what it says comes in whole lines', () => {
  const { lines, take } = listen()
  const step = { digest: 'a', name: '[2/3] RUN --mount=type=cache,target=/c   make' }
  take({ vertexes: [step] })
  expect(lines).toEqual([])
  take({ vertexes: [{ ...step, started }], logs: [log('a', 'one\ntw')] })
  take({ vertexes: [{ ...step, started }], logs: [log('a', 'o\n\u001b[31mred\u001b[0m\n')] })
  take({ vertexes: [{ ...step, started, completed }] })
  expect(lines).toEqual(['[2/3] RUN make', 'one', 'two', 'red'])
})

test('a step that is in a cache says so, and what goes on inside the engine is nobody’s affair', () => {
  const { lines, take } = listen()
  take({ vertexes: [{ digest: 'a', name: '[internal] load build definition', started, completed }] })
  take({ vertexes: [{ digest: 'b', name: '[1/2] FROM python', cached: true, started, completed }] })
  expect(lines).toEqual(['[1/2] FROM python (unchanged)'])
})

test('a pull tells how far it is, in quarters', () => {
  const { lines, take } = listen()
  const id = `sha256:${'a'.repeat(64)}`
  take({ vertexes: [{ digest: 'a', name: '[1/2] FROM python', started }] })
  for (const current of [1n, 30n, 31n, 80n, 100n]) {
    take({ statuses: [{ id, vertex: 'a', current: current * 1_000_000n, total: 100_000_000n }] })
  }
  take({ statuses: [{ id: 'small', vertex: 'a', current: 5n, total: 5n }] })
  expect(lines.slice(1)).toEqual([
    '25% of 100 MB (aaaaaaaaaaaa)',
    '75% of 100 MB (aaaaaaaaaaaa)',
    '100% of 100 MB (aaaaaaaaaaaa)',
  ])
})

test('of the first step that fails the last lines are kept', () => {
  const { trace, take } = listen()
  take({ vertexes: [{ digest: 'a', name: 'RUN make', started }] })
  take({ logs: [log('a', Array.from({ length: 100 }, (_, index) => `line ${index}\n`).join('') + 'no end')] })
  take({ vertexes: [{ digest: 'a', name: 'RUN make', started, completed, error: 'exit code: 2' }] })
  take({ vertexes: [{ digest: 'b', name: 'RUN other', started, completed, error: 'cancelled' }] })
  expect(trace.failure?.step).toBe('RUN make')
  expect(trace.failure?.lines).toHaveLength(60)
  expect(trace.failure?.lines.slice(-2)).toEqual(['line 99', 'no end'])
})
