import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** SIGTERM drains: what runs ends well, nothing new begins, and the port says so. */
describe('stopping the server', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('echo.py::Echo', 'echo')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const post = (path: string, body: object) =>
    carrick.ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const statusOf = async (id: string) =>
    ((await (await carrick.ask(`/queue/tester/echo/requests/${id}/status`)).json()) as { status: string }).status
  const running = async (seconds: number) => {
    const { request_id } = (await (await post('/queue/tester/echo', { text: 'queued', seconds })).json()) as {
      request_id: string
    }
    await until(async () => (await statusOf(request_id)) === 'IN_PROGRESS', 'a running request')
    return request_id
  }
  const readiness = async () => {
    const answer = await carrick.ask('/readyz', { key: null })
    return [answer.status, await answer.text()]
  }

  test('lets a queued request and a direct call finish, and takes no new ones meanwhile', async () => {
    const request = await running(3)
    const call = post('/tester/echo', { text: 'direct', seconds: 3 })
    await until(async () => (await carrick.status()).running === 2, 'both running')
    expect(await readiness()).toEqual([200, 'ready\n'])

    const stopped = carrick.down()
    await until(async () => (await readiness())[0] === 503, 'a server that drains')
    expect(await readiness()).toEqual([503, 'draining\n'])
    expect((await carrick.ask('/healthz', { key: null })).status).toBe(200)
    expect(await statusOf(request)).toBe('IN_PROGRESS')
    for (const path of ['/tester/echo', '/queue/tester/echo']) {
      const refused = await post(path, {})
      expect([refused.status, refused.headers.get('x-fal-error-type')]).toEqual([503, 'draining'])
    }
    expect(await (await call).json()).toMatchObject({ text: 'direct' })
    expect(await stopped).toBe(0)

    await carrick.up()
    const result = await carrick.ask(`/queue/tester/echo/requests/${request}`)
    expect(await result.json()).toMatchObject({ text: 'queued', headers: { 'x-carrick-attempt': '1' } })
  })

  test('a second signal ends it at once, and the next start decides about what ran', async () => {
    const request = await running(5)
    const stopped = carrick.down()
    await until(async () => (await readiness())[0] === 503, 'a server that drains')
    expect(await carrick.down()).toBe(130)
    expect(await stopped).toBe(130)

    await carrick.up()
    await until(async () => (await statusOf(request)) === 'COMPLETED', 'an outcome')
    const result = await carrick.ask(`/queue/tester/echo/requests/${request}`)
    expect(await result.json()).toMatchObject({ text: 'queued', headers: { 'x-carrick-attempt': '2' } })
  })
})
