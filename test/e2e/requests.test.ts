import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppRequests, RequestDetail, RetriedRequest, type ListedRequest } from '@carrick/protocol/platform'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** Requests as who sends them names them, and as the app's owner looks after them. */
describe('requests', () => {
  let carrick: Carrick
  let ledger: string
  beforeAll(async () => {
    carrick = await Carrick.start()
    ledger = join(carrick.shared, 'ledger')
    await carrick.deploy('fragile.py::Fragile', 'fragile')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const runsOf = async (id: string) => (await readFile(ledger, 'utf8')).split('\n').filter((line) => line === id).length

  async function submit(input: object, headers: Record<string, string> = {}): Promise<string> {
    const answer = await carrick.ask('/queue/tester/fragile', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ ledger, ...input }),
    })
    expect(answer.status).toBe(200)
    return ((await answer.json()) as { request_id: string }).request_id
  }

  const ended = (id: string) =>
    until(
      async () => (await carrick.ask(`/queue/tester/fragile/requests/${id}/status`)).status === 200,
      `the end of request ${id}`,
    )
  const statusOf = async (id: string) => (await carrick.ask(`/queue/tester/fragile/requests/${id}`)).status

  async function requests(...args: string[]): Promise<unknown> {
    const { code, stdout, stderr } = await carrick.carrick('requests', ...args, '--json')
    expect([code, stderr]).toEqual([0, ''])
    return JSON.parse(stdout)
  }
  const list = async (...flags: string[]) =>
    ((await requests('list', '--app', 'fragile', ...flags)) as { requests: ListedRequest[] }).requests
  const show = async (id: string) => RequestDetail.parse(await requests('show', id))

  /** The official Python client: submits twice by one name, and answers both ids. */
  const namedByPython = () =>
    carrick.python<readonly string[]>(
      `import json, sys, fal_client
submit = lambda: fal_client.submit("tester/fragile", {"ledger": sys.argv[1]}, headers={"Idempotency-Key": "from-python"})
handles = [submit(), submit()]
handles[1].get()
print(json.dumps([handle.request_id for handle in handles]))`,
      ledger,
    )

  test('a submit with an Idempotency-Key is one request, also for the official clients and after kill -9', async () => {
    const [one, other] = await namedByPython()
    expect(other).toBe(one)
    const said = await carrick.javascriptFile<{ first: { request_id: string } }>('named.ts', ledger)
    const id = said.first.request_id
    expect(said).toMatchObject({
      again: said.first,
      result: { request: id },
      refusal: [409, expect.any(String)],
      body: { error_type: 'idempotency_key_reused', detail: expect.stringContaining(id) },
    })
    expect([await runsOf(String(one)), await runsOf(id)]).toEqual([1, 1])

    const waits = await submit({ seconds: 1 }, { 'idempotency-key': 'from-curl' })
    await carrick.down('SIGKILL')
    await carrick.up()
    expect(await submit({ seconds: 1 }, { 'idempotency-key': 'from-curl' })).toBe(waits)
    expect(await namedByPython()).toEqual([one, one])
    expect((await list()).map(({ request_id }) => request_id).toSorted()).toEqual([String(one), id, waits].toSorted())
    await ended(waits)
  })

  test('one that kills its runner every time ends as a dead letter, and the others are served', async () => {
    const poison = await submit(
      { poison: true },
      { 'x-fal-retry-config': '{"connection_error": {"retries": 2}}', 'x-fal-queue-priority': 'low' },
    )
    const others = await Promise.all(Array.from({ length: 12 }, () => submit({ seconds: 0.1 })))
    await Promise.all([poison, ...others].map(ended))
    expect(await Promise.all(others.map(statusOf))).toEqual(others.map(() => 200))
    expect([await statusOf(poison), await runsOf(poison)]).toEqual([503, 3])

    expect(await list('--dead')).toMatchObject([
      {
        request_id: poison,
        dead: true,
        attempts: 3,
        error_type: 'runner_disconnected',
        caller: 'tester',
        priority: 'low',
      },
    ])
    const { attempt_list: attempts, input } = await show(poison)
    expect(input?.bytes).toBeGreaterThan(ledger.length)
    expect(attempts.map(({ error_type, ended_at }) => [error_type, ended_at !== null])).toEqual(
      Array.from({ length: 3 }, () => ['runner_disconnected', true]),
    )
    expect(new Set(attempts.map(({ runner_id }) => runner_id)).size).toBe(3)
    const said = (await carrick.carrick('requests', 'show', poison)).stdout
    expect(said).toMatch(/status +DEAD 503\n.*\npriority +low/)
    expect(said).toMatch(/ATTEMPT[^\n]*\n1 .*\n2 .*\n3 .*runner_disconnected/)
  })

  test('a dead letter is sent again by `carrick requests retry`, as a new request with the same input', async () => {
    const [dead] = await list('--dead')
    if (dead === undefined) throw new Error('there is no dead letter')
    await writeFile(`${ledger}.cure`, '')
    const { request_id: id } = RetriedRequest.parse(await requests('retry', dead.request_id))
    await ended(id)
    expect([await statusOf(id), await statusOf(dead.request_id)]).toEqual([200, 503])
    expect(await show(id)).toMatchObject({ retried_from: dead.request_id, dead: false, priority: 'low', attempts: 1 })
    expect(await show(dead.request_id)).toMatchObject({ retries: [id], dead: true })
    const { stdout } = await carrick.carrick('events', '--action', 'retry_request')
    expect(stdout).toMatch(/retry_request +fragile +done/)
  })

  test('the list has pages and filters on the queue, for the owner alone, and hides no endpoint of an app', async () => {
    const address = '/queue/tester/fragile/requests'
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const answer: Response = await carrick.ask(`${address}?limit=4&cursor=${cursor}`)
      const page = AppRequests.parse(await answer.json())
      seen.push(...page.requests.map(({ request_id }) => request_id))
      cursor = page.next_cursor
    }
    const all = await list('--limit', '100')
    expect(all.length).toBe(17)
    expect(seen).toEqual(all.map(({ request_id }) => request_id))
    expect((await list('--status', 'failed')).map(({ dead }) => dead)).toEqual([true])
    expect(await list('--since', '7d', '--until', '6d')).toEqual([])
    const made = (await carrick.carrick('accounts', 'create', 'other', '--json')).stdout
    const { key_id, key_secret } = JSON.parse(made) as { key_id: string; key_secret: string }
    expect((await carrick.ask(address, { key: `${key_id}:${key_secret}` })).status).toBe(404)
    expect((await carrick.ask(address, { key: null })).status).toBe(401)
    // The app has no such endpoint: it says so itself.
    const own = await carrick.ask('/tester/fragile/requests')
    expect([own.status, own.headers.get('x-fal-served-from')]).toEqual([404, expect.any(String)])
  })

  test('what was cancelled and flushed is listed as such', async () => {
    // Two run at a time: some wait for as long as three commands take on a slow machine.
    const ids = await Promise.all(Array.from({ length: 24 }, () => submit({ seconds: 5 })))
    const last = ids.at(-1)
    const cancel = `/queue/tester/fragile/requests/${last}/cancel`
    expect((await carrick.ask(cancel, { method: 'PUT' })).status).toBe(202)
    const size = async () => Number((await carrick.fal('queue', 'size', 'fragile')).stdout.match(/\d+/)?.[0])
    expect(await size()).toBeGreaterThan(0)
    expect((await carrick.fal('queue', 'flush', 'fragile')).code).toBe(0)
    expect(await size()).toBe(0)
    await Promise.all(ids.map(ended))
    const { stdout } = await carrick.carrick('requests', 'list', '--status', 'CANCELLED')
    const lines = stdout.split('\n').filter((line) => /CANCELLED .*client_cancelled$/.test(line))
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.map((line) => line.split(' ')[0])).toContain(last)
  })

  test('what cannot be is refused in a sentence', async () => {
    const refusals: readonly [args: string, words: RegExp][] = [
      ['show nothing', /"nothing" not found/],
      ['list --app nothing', /nothing" not found/],
      ['list --app fragile --status lost', /A status is one of in_queue/],
      ['list --dead --status failed', /leave one/],
    ]
    const ends = await Promise.all(refusals.map(([args]) => carrick.carrick('requests', ...args.split(' '))))
    for (const [at, { code, stdout, stderr }] of ends.entries())
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(refusals[at]?.[1] ?? /^$/)])
  })
})
