import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

interface Order {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly exits?: boolean
  readonly sick?: boolean
}

interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: { readonly attempt?: number; readonly runner?: string; readonly error_type?: string }
}

/** What an app of the stock SDK says about a request and its runner, and what comes of it. */
describe('an app that is told what to answer', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('told.py::Told', 'told')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const post = (path: string, attempts: readonly Order[], headers: Record<string, string> = {}) =>
    carrick.ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ attempts }),
    })

  async function straight(order: Order = {}): Promise<Answered> {
    const answer = await post('/tester/told', [order])
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Answered['body'] }
  }

  /** The result of a request that went through the queue. */
  async function queued(attempts: readonly Order[], headers: Record<string, string> = {}): Promise<Answered> {
    const { request_id: id } = (await (await post('/queue/tester/told', attempts, headers)).json()) as {
      request_id: string
    }
    const at = `/queue/tester/told/requests/${id}`
    await until(async () => (await carrick.ask(`${at}/status`)).status === 200, 'an outcome')
    const answer = await carrick.ask(at)
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Answered['body'] }
  }

  const again: Order = { status: 500, headers: { 'X-Fal-Needs-Retry': '1' } }
  const notAgain: Order = { status: 503, headers: { 'X-Fal-Needs-Retry': '0' } }
  const stop: Order = { headers: { 'X-Fal-Stop-Runner': '1' } }
  const stay: Order = { status: 503, headers: { 'X-Fal-Stop-Runner': '0' } }

  test.each<[what: string, attempts: readonly Order[]]>([
    ['a 503', [{ status: 503 }, {}]],
    ['a crash', [{ exits: true }, {}]],
  ])('%s is followed by an attempt on another runner', async (_, attempts) => {
    const first = await straight()
    const { status, body } = await queued(attempts)
    expect([status, body.attempt]).toEqual([200, 2])
    expect(body.runner).not.toBe(first.body.runner)
  })

  test('a 500 that asks for it is tried again, and the caller is told of nothing', async () => {
    const { status, headers, body } = await queued([again, {}])
    expect([status, body.attempt, headers.get('x-fal-needs-retry')]).toEqual([200, 2, null])
  })

  test.each<[what: string, attempts: readonly Order[], headers: Record<string, string>]>([
    ['the app wants no other', [notAgain, {}], {}],
    ['the caller wants no other', [{ ...again, status: 503 }, {}], { 'x-fal-no-retry': 'yes' }],
    ['the owner gives it none', [{ status: 503 }, {}], { 'x-fal-retry-config': '{"server_error":{"retries":0}}' }],
  ])('a 503 is the last attempt where %s', async (_, attempts, headers) => {
    expect(await queued(attempts, headers)).toMatchObject({ status: 503, body: { attempt: 1 } })
  })

  test('a runner that is to stop serves nobody after that, whatever it answered; one that is to stay does', async () => {
    const stopped = await straight(stop)
    expect([stopped.status, stopped.headers.get('x-fal-stop-runner')]).toEqual([200, null])
    const next = await straight(stay)
    expect([next.status, next.headers.get('x-fal-stop-runner')]).toEqual([503, null])
    expect(next.body.runner).not.toBe(stopped.body.runner)
    expect((await straight()).body.runner).toBe(next.body.runner)
  })

  test('a runner whose app wants its health checked is ended if it is not well', async () => {
    const check = { headers: { 'X-Fal-Runner-Health-Check': 'true' } }
    const well = await straight(check)
    expect(well.headers.get('x-fal-runner-health-check')).toBeNull()
    const { body: served } = await straight({ ...check, sick: true })
    expect(served.runner).toBe(well.body.runner)
    const alive = async (): Promise<boolean> => {
      const { stdout } = await carrick.fal('runners', 'list', '--json')
      return stdout.includes(served.runner ?? '')
    }
    await until(async () => !(await alive()), 'the end of the sick runner')
    expect((await straight()).body.runner).not.toBe(served.runner)
  })
})
