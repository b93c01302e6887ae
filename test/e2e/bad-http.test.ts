import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { corpus, exchange, statusesIn, type Case, type Sent } from './bad-http.ts'
import { Carrick } from './carrick.ts'

const cases = corpus('').map(({ name, why }) => [name, why] as const)
const mib = 1024 * 1024

/** `test/corpus/http`, and what comes of it when it is changed a little: nothing of it is obeyed, and nothing ends the server. */
describe('what is not well-formed', () => {
  let carrick: Carrick
  let bad: ReadonlyMap<string, Case>
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('echo.py::Echo', 'echo')
    bad = new Map(corpus(carrick.variables['FAL_KEY'] ?? '').map((one) => [one.name, one]))
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  /** In the clear and over TLS. */
  const urls = () => [new URL(carrick.url.replace('https:', 'http:')), new URL(carrick.url)]
  const metric = async (name: string): Promise<number> => {
    const lines = (await (await carrick.ask('/metrics')).text()).split('\n')
    return Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1] ?? 0)
  }
  const counted = (reason: string) => metric(`carrick_http_rejected_total{reason="${reason}"}`)

  test.each(cases)('%s: %s', async (name) => {
    const sent = bad.get(name)!
    const { expect: wanted, counts, speaks } = sent
    for (const url of urls()) {
      const before = counts === undefined ? 0 : await counted(counts)
      const received = await exchange(url, sent)
      const answer = speaks === 'h2' ? 'closed' : statusesIn(received).join(', ') || 'closed'
      expect(wanted, received.toString('latin1').slice(0, 500)).toContain(answer)
      if (counts !== undefined) await expect.poll(() => counted(counts), { timeout: 10_000 }).toBe(before + 1)
    }
  })

  test('what is nearly that is no fault of the server’s either', async () => {
    const small = [...bad.values()].filter(({ bytes }) => bytes.length < 2_000)
    await fc.assert(
      fc.asyncProperty(fc.array(changed(small), { minLength: 20, maxLength: 20 }), async (mutants) => {
        const answers = mutants.map((sent, at) => exchange(urls()[at % 2]!, sent, { hangUpMs: 150 }))
        const statuses = (await Promise.all(answers)).flatMap(statusesIn)
        expect(statuses).not.toContain('500')
        expect((await carrick.ask('/healthz')).status).toBe(200)
      }),
      {
        numRuns: Number(process.env['CARRICK_FUZZ_ROUNDS'] ?? 12),
        seed: Number(process.env['CARRICK_FUZZ_SEED'] ?? 5),
      },
    )
  })

  test('it leaves nothing behind in memory, however often it comes', async () => {
    const all = () => Promise.all(urls().flatMap((url) => [...bad.values()].map((sent) => exchange(url, sent))))
    await all()
    const before = await metric('process_resident_memory_bytes')
    for (let round = 0; round < 2; round += 1) await all()
    expect((await metric('process_resident_memory_bytes')) - before).toBeLessThan(96 * mib)
  })

  test('the server serves others as before', async () => {
    const body = JSON.stringify({ text: 'well' })
    const answer = await carrick.ask('/tester/echo', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    expect(await answer.json()).toMatchObject({ text: 'well' })
  })
})

/** Words that parsers stumble over. */
const stumbling = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ':',
  ' ',
  '0\r\n\r\n',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
]

type Change = readonly [where: number, how: (bytes: Buffer, at: number) => Buffer]

const change: fc.Arbitrary<Change> = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.oneof(
    fc.nat(255).map((byte) => (bytes: Buffer, at: number) => spliced(bytes, at, 1, Buffer.from([byte]))),
    fc.nat(40).map((length) => (bytes: Buffer, at: number) => spliced(bytes, at, length, Buffer.alloc(0))),
    fc
      .constantFrom(...stumbling)
      .map((word) => (bytes: Buffer, at: number) => spliced(bytes, at, 0, Buffer.from(word))),
    fc.nat(200).map((length) => (bytes: Buffer, at: number) => spliced(bytes, at, 0, bytes.subarray(at, at + length))),
  ),
)

function changed(some: readonly Case[]): fc.Arbitrary<Sent> {
  const changes = fc.array(change, { minLength: 1, maxLength: 4 })
  return fc.tuple(fc.constantFrom(...some), changes).map(([{ bytes, speaks }, made]) => ({
    speaks,
    hangsUp: false,
    bytes: made.reduce((now, [where, how]) => how(now, Math.floor(where * now.length)), bytes),
  }))
}

function spliced(bytes: Buffer, at: number, removed: number, added: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)])
}
