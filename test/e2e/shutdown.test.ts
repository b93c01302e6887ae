import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** SIGTERM drains: what runs ends well, nothing new begins, and the port says so. */
describe('stopping the server', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('gate.py::Gate', 'gate')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const gate = (name: string) => join(carrick.folder, name)
  const post = (path: string, file: string) =>
    carrick.ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ file }),
    })
  const submit = async (file: string) =>
    ((await (await post('/queue/tester/gate', file)).json()) as { request_id: string }).request_id
  const request = (id: string) => carrick.ask(`/queue/tester/gate/requests/${id}`)
  const running = async () => ((await (await carrick.ask('/v1/status')).json()) as { running: number }).running
  const readiness = async () => {
    const answer = await carrick.ask('/readyz', { key: null })
    return [answer.status, await answer.text()]
  }

  test('lets a queued request and a direct call finish, and takes no new ones meanwhile', async () => {
    const id = await submit(gate('first'))
    const call = post('/tester/gate', gate('first'))
    await until(async () => (await running()) === 2, 'both running')
    expect(await readiness()).toEqual([200, 'ready\n'])

    const stopped = carrick.down()
    await until(async () => (await readiness())[0] === 503, 'a server that drains')
    expect(await readiness()).toEqual([503, 'draining\n'])
    expect((await carrick.ask('/healthz', { key: null })).status).toBe(200)
    for (const path of ['/tester/gate', '/queue/tester/gate']) {
      const refused = await post(path, gate('first'))
      expect([refused.status, refused.headers.get('x-fal-error-type')]).toEqual([503, 'draining'])
    }
    expect((await request(id)).status, 'whoever waits can go on asking').toBe(400)

    await writeFile(gate('first'), '')
    expect((await call).status).toBe(200)
    expect(await stopped).toBe(0)
    await carrick.up()
    expect(await (await request(id)).json()).toEqual({ attempt: '1' })
  })

  test('a second signal ends it at once, and the next start decides about what ran', async () => {
    const id = await submit(gate('second'))
    await until(async () => (await running()) === 1, 'a running request')
    const stopped = carrick.down()
    await until(async () => (await readiness())[0] === 503, 'a server that drains')
    expect(await carrick.down()).toBe(130)
    expect(await stopped).toBe(130)

    await writeFile(gate('second'), '')
    await carrick.up()
    await until(async () => (await request(id)).status === 200, 'a result')
    expect(await (await request(id)).json()).toEqual({ attempt: '2' })
  })
})
