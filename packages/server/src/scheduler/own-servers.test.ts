import type { RequestListener } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { RevisionSpec } from '../domain/revision.ts'
import { failureSince } from '../store/revisions.ts'
import { servedOpenapi } from '../store/served-openapi.ts'
import { openTestRunner } from '../testing/runner.ts'
import { openTestScheduler } from '../testing/scheduler.ts'

const second = 1_000
const ownServer: Partial<RevisionSpec> = { callable: { serves: 'image' }, exposedPort: 8080 }

async function opened() {
  const at = await openTestScheduler()
  onTestFinished(() => at[Symbol.asyncDispose]())
  return at
}

describe('a runner that was not ready in time', () => {
  async function late(spec: Partial<RevisionSpec>, listensOn: readonly { host: string; port: number }[] | undefined) {
    const at = await opened()
    at.backend.listensOn = listensOn
    await at.deploy({ revision: 'r1', strategy: 'rolling', scale: { startup_timeout: 3 }, spec })
    const [id = ''] = at.backend.alive
    for (let line = 1; line <= 70; line += 1) at.backend.say(id, `line ${line}`)
    await at.pass(3 * second + 1)
    await expect.poll(async () => (await at.stored(id))?.state).toBe('terminated')
    await at.settled()
    return { at, failure: await at.store.read(failureSince('r1', 0)) }
  }

  test('is told which port was expected and where it listened instead, behind its last 50 lines', async () => {
    const { failure } = await late(ownServer, [{ host: '0.0.0.0', port: 5000 }])
    expect(failure).toMatch(/^Its first runner was not ready within 3 s \(startup_timeout\)/)
    expect(failure).toMatch(/\nNothing in this runner listened on port 8080 .*\. It listened on 0\.0\.0\.0:5000: .*$/)
    const last = Array.from({ length: 50 }, (_, index) => `line ${21 + index}`)
    expect(failure).toContain(`${last.join('\n')}\nNothing in this runner`)
  })

  test('and where it is not to be seen, which port at least', async () => {
    expect((await late(ownServer, undefined)).failure).toMatch(/did not answer at port 8080 \(exposed_port\)/)
  })

  test('hears nothing of ports when its own is open, or when it has none of its own', async () => {
    expect((await late(ownServer, [{ host: '::', port: 8080 }])).failure).not.toContain('exposed_port')
    expect((await late({}, [])).failure).not.toContain('exposed_port')
  })
})

describe('what a server says of itself', () => {
  const document = '{"openapi":"3.1.0","paths":{"/generate":{"post":{}}}}'

  async function serving(answer: RequestListener, spec: Partial<RevisionSpec> = ownServer, runners = 1) {
    const at = await opened()
    const asked: string[] = []
    const runner = await openTestRunner((req, res) => {
      asked.push(`${req.method} ${req.url}`)
      answer(req, res)
    })
    onTestFinished(() => runner[Symbol.asyncDispose]())
    await at.deploy({ revision: 'r1', scale: { min_concurrency: runners, max_concurrency: 2 }, spec })
    for (const id of at.backend.alive) {
      at.backend.accept(id, runner.address)
      await at.settled()
    }
    return { at, asked, kept: () => at.store.read(servedOpenapi('r1')) }
  }

  test('is read once for its revision, whichever runner is first, and kept as it came', async () => {
    const { at, asked, kept } = await serving((_, res) => res.end(document), ownServer, 2)
    await expect.poll(kept).toBe(document)
    await at.settled()
    expect(asked).toEqual(['GET /openapi.json'])
  })

  test('is not asked for where the deploy has said it, or the server is the SDK’s, or it is a run', async () => {
    const said = { ...ownServer, metadata: { openapi: {} } }
    for (const spec of [said, {}, { ...ownServer, run: 'app' as const }]) {
      const { at, asked } = await serving((_, res) => res.end(document), spec)
      await at.settled()
      expect(asked).toEqual([])
    }
  })

  test.each<[string, RequestListener]>([
    ['is not there', (_, res) => res.writeHead(404).end(document)],
    ['is elsewhere', (_, res) => res.writeHead(302, { location: '/docs.json' }).end()],
    ['is a page', (_, res) => res.end('<html>')],
    ['never ends', (_, res) => void setInterval(() => res.write(' '.repeat(100_000)), 1).unref()],
    ['breaks off', (_, res) => res.writeHead(200, { 'content-length': '99' }).end('{"paths":', () => res.destroy())],
  ])('is left out where it %s', async (_, answer) => {
    const { at, asked, kept } = await serving(answer)
    await expect.poll(() => asked).toEqual(['GET /openapi.json'])
    await at.settled()
    expect(await kept()).toBeUndefined()
  })
})
