import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

const parts = ['queued', 'waiting_for_machine', 'starting', 'set_up', 'running', 'backing_off', 'storing'] as const

interface Timeline extends Readonly<Record<`${(typeof parts)[number]}_ms`, number>> {
  readonly total_ms: number
  readonly attempts: readonly { readonly number: number }[]
}

/** A server with one runner at most, several keys, and the official client. */
describe('callers of one app', () => {
  let carrick: Carrick
  let ledger: string
  let gate: string
  beforeAll(async () => {
    carrick = await Carrick.start()
    ledger = join(carrick.shared, 'ledger')
    gate = join(carrick.shared, 'gate')
    await carrick.deploy('turns.py::Turns', 'turns')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  async function keyNamed(alias: string): Promise<string> {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ preset: 'API', alias })
    const { key } = (await (await carrick.ask('/v1/keys', { method: 'POST', headers, body })).json()) as { key: string }
    return key
  }

  /** Sends these one after the other with the official client, and answers their ids. */
  const submit = (key: string, names: readonly string[], hold?: string) =>
    carrick.python<string[]>(
      `
import fal_client, json, sys
key, ledger, hold, *names = sys.argv[1:]
client = fal_client.SyncClient(key=key)
turn = lambda name: {"name": name, "ledger": ledger} | ({"until": hold} if hold else {})
print(json.dumps([client.submit("tester/turns", turn(name)).request_id for name in names]))
`,
      key,
      ledger,
      hold ?? '',
      ...names,
    )

  async function statusOf(id: string) {
    const answer = await carrick.ask(`/queue/tester/turns/requests/${id}/status?timeline=1`)
    return (await answer.json()) as { status: string; queue_position?: number; timeline: Timeline }
  }

  async function timelineOf(id: string): Promise<Timeline> {
    await until(async () => (await statusOf(id)).status === 'COMPLETED', `the end of ${id}`)
    return (await statusOf(id)).timeline
  }

  async function killRunners(): Promise<void> {
    const { stdout } = await carrick.fal('apps', 'runners', 'turns', '--output', 'json')
    const { runners } = JSON.parse(stdout) as { runners: { runner_id: string }[] }
    for (const { runner_id } of runners) await carrick.fal('runners', 'kill', runner_id)
  }

  const sumOf = (timeline: Timeline) => parts.reduce((sum, part) => sum + timeline[`${part}_ms`], 0)

  test('a cold request tells how its runner came up, and a warm one that it ran at once', async () => {
    const key = carrick.variables['FAL_KEY'] ?? ''
    await killRunners() // the deploy has looked whether one comes up
    const [first = ''] = await submit(key, ['cold'])
    const cold = await timelineOf(first)
    expect(cold.set_up_ms).toBeGreaterThan(0)
    expect(cold).toMatchObject({ backing_off_ms: 0, attempts: [{ number: 1 }] })
    const [second = ''] = await submit(key, ['warm'])
    const warm = await timelineOf(second)
    expect(warm).toMatchObject({ waiting_for_machine_ms: 0, starting_ms: 0, set_up_ms: 0, backing_off_ms: 0 })
    for (const timeline of [cold, warm]) expect(sumOf(timeline)).toBe(timeline.total_ms)

    const shown = await carrick.carrick('requests', 'show', first)
    expect(shown.stdout).toMatch(new RegExp(`\\nset-up +${cold.set_up_ms}\\n[^]*\\nin all +${cold.total_ms}\\n`))
    const plain = await carrick.ask(`/queue/tester/turns/requests/${first}/status`)
    expect(await plain.json()).not.toHaveProperty('timeline')
  })

  test('a direct call says in Server-Timing what it waited for, beside what the app says', async () => {
    const call = async () => {
      const headers = { 'content-type': 'application/json', origin: 'https://page.example' }
      const body = JSON.stringify({ name: 'direct', ledger })
      const answer = await carrick.ask('/tester/turns', { method: 'POST', headers, body })
      expect(answer.headers.get('access-control-expose-headers')).toContain('server-timing')
      return answer.headers.get('server-timing')
    }
    expect(await call()).toMatch(/^model;dur=1, queued;dur=\d+, running;dur=\d+$/)
    await killRunners()
    expect(await call()).toMatch(/^model;dur=1, queued;dur=\d+, starting;dur=[1-9]\d*, running;dur=\d+$/)
  })

  test('take turns by the weights of their keys, also after kill -9', async () => {
    const set = await carrick.carrick('queue', 'set', 'turns', '--fair-share', 'on', '--weight', 'small=2')
    expect(set.stdout).toContain('callers take turns, by weight: small 2, others 1')
    await submit(carrick.variables['FAL_KEY'] ?? '', ['held'], gate)
    await until(async () => (await readFile(ledger, 'utf8')).includes('held'), 'the request that holds the runner')
    const [flood, small] = [await keyNamed('flood'), await keyNamed('small')]
    const many = await submit(
      flood,
      Array.from({ length: 20 }, (_, n) => `flood-${n}`),
    )
    const few = await submit(small, ['small-0', 'small-1', 'small-2'])
    const places = async () =>
      Promise.all([...few, many[19] ?? ''].map(async (id) => (await statusOf(id)).queue_position))
    expect(await places()).toEqual([1, 2, 4, 22])
    await carrick.carrick('queue', 'set', 'turns', '--fair-share', 'off')
    expect(await places()).toEqual([20, 21, 22, 19])
    await carrick.carrick('queue', 'set', 'turns', '--fair-share', 'on')

    await carrick.down('SIGKILL')
    await carrick.up()
    await writeFile(gate, '')
    const ends = await Promise.all([...many, ...few].map(async (id) => [id, await timelineOf(id)] as const))
    for (const [, timeline] of ends) expect(sumOf(timeline)).toBe(timeline.total_ms)
    const turns = (await readFile(ledger, 'utf8')).split('\n').filter((name) => /^(flood|small)-/.test(name))
    expect(turns.slice(0, 6)).toEqual(['flood-0', 'small-0', 'small-1', 'flood-1', 'small-2', 'flood-2'])
    expect(turns.slice(6)).toEqual(Array.from({ length: 17 }, (_, n) => `flood-${n + 3}`))
  })
})
