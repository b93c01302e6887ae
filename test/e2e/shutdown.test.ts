import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Carrick, until } from './carrick.ts'

/** How long requests have when the server is stopped. What takes longer is cut off, so one test waits for all of it. */
const boundMs = 15_000

/** SIGTERM drains: runners are told at once, what runs ends well, nothing new begins, and the port says so. */
describe('stopping the server', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start({ CARRICK_SHUTDOWN_MS: String(boundMs) })
    await carrick.deploy('leaver.py::Leaver', 'leaver')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const gate = (name: string) => join(carrick.shared, name)
  const post = (path: string, file: string, headers: Record<string, string> = {}) =>
    carrick.ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ file }),
    })
  const submit = async (file: string, headers: Record<string, string> = {}) =>
    ((await (await post('/queue/tester/leaver', file, headers)).json()) as { request_id: string }).request_id
  const request = (id: string) => carrick.ask(`/queue/tester/leaver/requests/${id}`)
  const state = async () => (await (await carrick.ask('/v1/status')).json()) as { running: number; queued: number }
  const running = async () => (await state()).running
  const readiness = async () => {
    const answer = await carrick.ask('/readyz', { key: null })
    return [answer.status, await answer.text()]
  }
  const draining = () => until(async () => (await readiness())[0] === 503, 'a server that drains')
  /** What it said, the newest first. */
  const said = async (id: string): Promise<string> => {
    const answer = await carrick.ask(`/logs/history?job_id=${id}&page_size=100`, { method: 'POST' })
    return ((await answer.json()) as { items: { message: string }[] }).items.map(({ message }) => message).join('\n')
  }

  test('lets requests of every kind finish, and takes no new ones meanwhile', async () => {
    const id = await submit(gate('first'))
    const call = post('/tester/leaver', gate('first'))
    const stream = await post('/tester/leaver/stream', gate('first'))
    await until(async () => (await running()) === 3, 'all running')
    expect(await readiness()).toEqual([200, 'ready\n'])

    const stopped = carrick.down()
    await draining()
    expect(await readiness()).toEqual([503, 'draining\n'])
    expect((await carrick.ask('/healthz', { key: null })).status).toBe(200)
    for (const path of ['/tester/leaver', '/queue/tester/leaver']) {
      const refused = await post(path, gate('first'))
      expect([refused.status, refused.headers.get('x-fal-error-type')]).toEqual([503, 'draining'])
    }
    expect((await request(id)).status, 'whoever waits can go on asking').toBe(400)

    await writeFile(gate('first'), '')
    const answer = await call
    expect(answer.status).toBe(200)
    const { runner } = (await answer.json()) as { runner: string }
    expect(await stream.text()).toBe('data: begun\n\ndata: done\n\n')
    expect(await stopped).toBe(0)
    await carrick.up()
    expect(await (await request(id)).json()).toMatchObject({ attempt: '1' })
    expect(await said(runner), 'handle_exit comes at once, teardown last').toMatch(/torn down[^]*told to exit/)
    const ended = await carrick.carrick('runners', 'list', '--since', '1h')
    expect(ended.stdout).toMatch(new RegExp(`${runner}.*TERMINATED.*shutdown`))
  })

  test('is not held by a WebSocket: its app closes it, and says that it comes back', async () => {
    const socket = new WebSocket(`${carrick.url.replace('https:', 'ws:')}/tester/leaver/ws`, {
      headers: { authorization: `Key ${carrick.variables['FAL_KEY']}` },
    })
    const heard = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())))
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send('are you there?')
    expect(await heard).toBe('are you there?')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const stopped = carrick.down()
    expect(await closed).toBe(1012)
    expect(await stopped).toBe(0)
    await carrick.up()
  })

  test('tells a call that waits for a runner to come again, at once', async () => {
    await carrick.fal('apps', 'scale', 'leaver', '--max-multiplexing', '1')
    const call = post('/tester/leaver', gate('second'))
    await until(async () => (await running()) === 1, 'a running call')
    const waiting = post('/tester/leaver', gate('second'))
    await until(async () => (await state()).queued === 1, 'a waiting call')
    const stopped = carrick.down()
    const answer = await waiting
    expect([answer.status, answer.headers.get('x-fal-error-type')]).toEqual([503, 'draining'])
    await writeFile(gate('second'), '')
    const ended = await call
    expect(ended.status, await ended.text()).toBe(200)
    expect(await stopped).toBe(0)
    await carrick.up()
    await carrick.fal('apps', 'scale', 'leaver', '--max-multiplexing', '8')
  })

  test('is what `carrick up --takeover` asks for: what runs finishes, and the new one has the folder', async () => {
    const call = post('/tester/leaver', gate('taken'))
    await until(async () => (await running()) === 1, 'a running call')
    const newer = carrick.up('--takeover')
    await draining()
    await writeFile(gate('taken'), '')
    expect((await call).status).toBe(200)
    await newer
    expect(await readiness()).toEqual([200, 'ready\n'])
    expect((await post('/tester/leaver', gate('taken'))).status).toBe(200)
  })

  test('cuts off what takes longer than it may: tried again where that is allowed, told so where not', async () => {
    const again = await submit(gate('third'))
    const once = await submit(gate('third'), { 'x-fal-no-retry': '1' })
    const call = post('/tester/leaver', gate('third')).then(
      ({ status }) => status,
      () => 'broken',
    )
    await until(async () => (await running()) === 3, 'all running')
    expect(await carrick.down()).toBe(0)
    expect(await call).toBe('broken')
    await writeFile(gate('third'), '')
    await carrick.up()
    await until(async () => (await request(again)).status === 200, 'a result')
    expect(await (await request(again)).json()).toMatchObject({ attempt: '2' })
    const failed = await request(once)
    expect([failed.status, failed.headers.get('x-fal-error-type')]).toEqual([503, 'runner_disconnected'])
  })

  test('a second signal ends it at once, and the next start decides about what ran', async () => {
    const id = await submit(gate('fourth'))
    await until(async () => (await running()) === 1, 'a running request')
    const stopped = carrick.down()
    await draining()
    expect(await carrick.down()).toBe(130)
    expect(await stopped).toBe(130)

    await writeFile(gate('fourth'), '')
    await carrick.up()
    await until(async () => (await request(id)).status === 200, 'a result')
    expect(await (await request(id)).json()).toMatchObject({ attempt: '2' })
  })
})
