import { beforeEach, describe, expect, test } from 'vitest'
import { pend, terminate } from '../../domain/runner.ts'
import type { LogLine } from '../../logs/log-store.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { addTestAccount } from '../../testing/store.ts'
import { presets } from '../../domain/permissions.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { addRunner, saveRunner } from '../../store/runners.ts'
import { createRest } from '../rest/rest.ts'

let control: TestControl
let line: Omit<LogLine, 'message'>
let runner: ReturnType<typeof pend>

beforeEach(async () => {
  control = await openTestControl()
  const now = control.clock.now()
  await addTestAccount(control.store, { id: 'account-1', nickname: 'eve' })
  const appId = await registerTestRevision(control.store, { revision: 'revision-1' }, now)
  const identity = { appId, revisionId: 'revision-1', machineType: 'XS', createdAt: now }
  runner = pend({ ...identity, id: 'runner-1', accountId: 'account-ann' }, now)
  await control.store.commit(addRunner(runner))
  line = { at: now, source: 'user', level: 'stdout', accountId: 'account-ann', runnerId: 'runner-1' }
  return () => control[Symbol.asyncDispose]()
})

const say = (message: string, more: Partial<LogLine> = {}) => control.logs.append({ ...line, message, ...more })
const end = () => control.store.commit(saveRunner('pending', terminate(runner, 'killed', control.clock.now())))

async function follow(query = '', key = control.keys.ann): Promise<Response> {
  const headers = { authorization: `Key ${key}` }
  return createRest(control.deps).request(`/logs/stream?job_id=runner-1${query}`, { method: 'POST', headers })
}

/** The whole text of a stream, or as much as there is when `enough` is reached; then the reader goes away. */
async function read(response: Response, enough = (_text: string) => false): Promise<string> {
  let text = ''
  for await (const chunk of response.body!) {
    text += Buffer.from(chunk).toString()
    if (enough(text)) break
  }
  return text
}

const messagesOf = (text: string) =>
  [...text.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => (JSON.parse(json!) as { message: string }).message)

describe('following a runner', () => {
  test('begins with what was said lately, goes on with what comes, and ends after the runner', async () => {
    say('long ago', { at: line.at - 61_000 })
    say('lately')
    const response = await follow()
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const text = read(response, (so) => {
      if (so.includes('lately') && !so.includes('now')) say('now', { at: control.clock.now() })
      return false
    })
    await end()
    expect(messagesOf(await text)).toEqual(['lately', 'now'])
  })

  test('gives each entry a moment, a level and its message', async () => {
    say('Traceback:\n  File "app.py"\nValueError: no', { level: 'stderr' })
    const text = await read(await follow(), (so) => so.includes('data:'))
    const message = 'Traceback:\n  File "app.py"\nValueError: no'
    expect(JSON.parse(text.slice('data: '.length))).toEqual({
      timestamp: new Date(line.at).toISOString(),
      level: 'STDERR',
      message,
    })
  })

  test('keeps to `search`, `since` and `until`, and ends with the last of them', async () => {
    const at = (ms: number) => encodeURIComponent(new Date(line.at + ms).toISOString())
    for (const [ms, message] of [
      [-3_000, 'an error, too early'],
      [-2_000, 'an Error'],
      [-1_500, 'all is well'],
      [-1_000, 'an error, too late'],
    ] as const)
      say(message, { at: line.at + ms })
    expect(messagesOf(await read(await follow(`&search=error&since=${at(-2_000)}&until=${at(-1_000)}`)))).toEqual([
      'an Error',
    ])
  })

  test('ends when the server stops', async () => {
    let draining = false
    Object.assign(control.deps, { isDraining: () => draining })
    const response = await follow()
    draining = true
    expect(messagesOf(await read(response))).toEqual([])
  })

  test('who reads too slowly is told so by an event named error', async () => {
    say('first')
    const reader = (await follow()).body!.getReader()
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toContain('first')
    for (let index = 0; index < 200; index += 1) say('x'.repeat(30_000))
    const { value } = await reader.read()
    expect(Buffer.from(value ?? []).toString()).toMatch(/^event: error\ndata: The lines came faster/)
    expect((await reader.read()).done).toBe(true)
  })

  test('is refused for a runner of somebody else, and without one', async () => {
    const refused = await follow('', control.keys.bob)
    expect(refused.status).toBe(404)
    expect(await refused.json()).toMatchObject({ error_type: 'runner_not_found' })
    expect(await control.rest('/logs/stream', { method: 'POST' })).toMatchObject({ status: 400 })
  })
})

test('a stream that a key opened ends when it is revoked, with a word about it', async () => {
  const { keyId, secret } = await control.deps.keyring.mint('account-ann', presets.ADMIN, 'soon revoked')
  const response = await follow('', `${keyId}:${secret}`)
  const text = read(response)
  await control.client().revokeUserKey({ keyId })
  expect(await text).toContain('event: error\ndata: The key was revoked')
})

describe('history', () => {
  const history = async (query: string, key = control.keys.ann) =>
    (await control.rest(`/logs/history?${query}`, { method: 'POST', key })).body as {
      items: { message: string }[]
      next_until: string | null
    }
  const messages = async (query: string, key?: string) =>
    (await history(query, key)).items.map(({ message }) => message)

  test('keeps to a request, a level and a revision', async () => {
    say('of a request', { requestId: 'request-1' })
    say('wrong', { level: 'error' })
    say('of a revision', { revisionId: 'revision-9' })
    expect(await messages('request_id=request-1')).toEqual(['of a request'])
    expect(await messages('level=ERROR')).toEqual(['wrong'])
    expect(await messages('revision=revision-9')).toEqual(['of a revision'])
    expect(await control.rest('/logs/history?level=loud', { method: 'POST' })).toMatchObject({ status: 400 })
  })

  test('gives pages that miss nothing and repeat nothing', async () => {
    for (let index = 0; index < 25; index += 1) say(`line ${index}`, { at: line.at - 100 + Math.floor(index / 2) })
    const seen: string[] = []
    let page = await history('search=line&page_size=10')
    for (; ; page = await history(`search=line&page_size=10&until=${encodeURIComponent(page.next_until ?? '')}`)) {
      seen.push(...page.items.map(({ message }) => message))
      if (page.next_until === null) break
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `line ${24 - index}`))
  })

  test("of somebody else's runner is empty", async () => {
    say('mine')
    expect(await messages('job_id=runner-1', control.keys.bob)).toEqual([])
    expect(await messages('job_id=runner-1')).toEqual(['mine'])
  })

  test('tells of tracebacks alone when asked to, each as Python prints it', async () => {
    say('all is well')
    say(JSON.stringify({ traceback: 'Traceback (most recent call last):\n  File "app.py"\nValueError: no' }))
    const { body } = await control.rest('/logs/?traceback=true')
    expect(body).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/^Traceback[^]*\nValueError: no$/) }),
    ])
  })
})
