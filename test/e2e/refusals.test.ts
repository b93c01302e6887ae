import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

const bodyLimit = 10_000
const nobody = '01900000-0000-7000-8000-000000000000'
const json = { 'content-type': 'application/json' }

/** What is wrong with a call or a command is said in a sentence, and the server goes on. */
describe('bad input', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start({ CARRICK_BODY_LIMIT: String(bodyLimit) })
    await carrick.deploy('echo.py::Echo', 'echo')
    await carrick.deploy('echo.py::Echo', 'open', '--auth', 'public')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const wrongKey = () => `${carrick.variables['FAL_KEY']?.split(':')[0]}:wrong`
  const post = (path: string, body: object = {}, options: { key?: string | null; headers?: object } = {}) =>
    carrick.ask(path, {
      ...options,
      method: 'POST',
      headers: { ...json, ...options.headers },
      body: JSON.stringify(body),
    })

  describe('a wrong key', () => {
    test.each(['auth whoami', 'apps list', 'runners list', 'deploy test/e2e/apps/echo.py::Echo'])(
      'fal %s says so',
      async (command) => {
        const refused = await carrick.falWith({ FAL_KEY: wrongKey() }, ...command.split(' '))
        expect(refused.code).toBe(1)
        expect(refused.stdout + refused.stderr).toMatch(/Authentication is required|Unauthorized/)
      },
    )

    test.each(['/tester/echo', '/queue/tester/echo', '/tester/nothing'])(
      'POST %s is answered with 401',
      async (path) => {
        const refused = await post(path, {}, { key: wrongKey() })
        expect([refused.status, refused.headers.get('x-fal-error-type')]).toEqual([401, 'unauthenticated'])
        expect(await refused.json()).toEqual({ detail: expect.stringContaining('Authentication is required') })
      },
    )

    test.each(['/users/current', '/v1/status', `/queue/tester/echo/requests/${nobody}/status`])(
      'GET %s is answered with 401',
      async (path) => expect((await carrick.ask(path, { key: wrongKey() })).status).toBe(401),
    )
  })

  test('without a key a private app is closed and a public one open, straight and through the queue', async () => {
    for (const way of ['', '/queue']) {
      expect((await post(`${way}/tester/echo`, {}, { key: null })).status).toBe(401)
      expect((await post(`${way}/tester/open`, {}, { key: null })).status).toBe(200)
    }
    expect(await (await post('/tester/open', { text: 'hi' }, { key: null })).json()).toMatchObject({ text: 'hi' })
  })

  describe('what does not exist is "not found"', () => {
    test.each([
      `apps set-rev nothing ${nobody}`,
      `apps set-rev echo ${nobody}`,
      'apps set-rev echo no-id-at-all',
      'apps scale nothing --keep-alive 5',
      'apps list-rev nothing',
      'apps runners nothing',
      `runners stop ${nobody}`,
      'runners kill no-id-at-all',
      `runners logs ${nobody}`,
    ])('fal %s', async (command) => {
      const refused = await carrick.fal(...command.split(' '))
      expect(refused.code).toBe(1)
      expect(refused.stdout + refused.stderr).toContain('not found')
    })

    test('fal apps delete', async () => {
      const { stdout, stderr } = await carrick.fal('apps', 'delete', 'nothing')
      expect(stdout + stderr).toContain('not found') // its exit code is the tool's own: to it a deleted app is a success
    })

    test.each(['/tester/nothing', '/queue/tester/nothing', '/nobody/echo'])('POST %s', async (path) => {
      const refused = await post(path)
      expect(refused.status).toBe(404)
      expect(await refused.json()).toEqual({ detail: expect.stringContaining('not found') })
    })

    test.each([`/runners/${nobody}`, '/users/nothing', '/applications/tester/nothing/metadata'])(
      'GET %s',
      async (path) => {
        const refused = await carrick.ask(path)
        expect(refused.status).toBe(404)
        expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('not found') })
      },
    )

    test('a request', async () => {
      expect((await carrick.ask(`/queue/tester/echo/requests/${nobody}`)).status).toBe(404)
      const status = await carrick.ask(`/queue/tester/echo/requests/${nobody}/status`)
      expect([status.status, await status.json()]).toEqual([404, { status: 'NOT_FOUND' }])
      expect((await carrick.ask(`/queue/tester/echo/requests/${nobody}/cancel`, { method: 'PUT' })).status).toBe(404)
    })
  })

  test('a syntax error in the app’s file ends the deploy with its place', async () => {
    await expect(carrick.deploy('syntax_error.py::Unfinished', 'unfinished')).rejects.toThrow(/syntax.*line 5/)
  })

  describe.each(['/tester/echo', '/queue/tester/echo'])('POST %s', (path) => {
    const large = JSON.stringify({ text: 'x'.repeat(bodyLimit) })

    test('a body over the limit is too large', async () => {
      const refused = await carrick.ask(path, { method: 'POST', headers: json, body: large })
      expect(refused.status).toBe(413)
      expect(await refused.json()).toMatchObject({
        error_type: 'body_too_large',
        detail: expect.stringContaining('10000'),
      })
    })

    test('so is one that did not say its length, and the answer comes before its end', async () => {
      const answer = await new Promise<{ status: number | undefined; kind: unknown }>((resolve, reject) => {
        const { hostname, port } = new URL(carrick.url)
        const headers = { ...json, authorization: `Key ${carrick.variables['FAL_KEY']}` }
        const sending = request({ method: 'POST', hostname, port, path, headers }, ({ statusCode, headers: got }) => {
          resolve({ status: statusCode, kind: got['x-fal-error-type'] })
          sending.destroy()
        })
        sending.on('error', reject)
        sending.write(large)
      })
      expect(answer).toEqual({ status: 413, kind: 'body_too_large' })
    })

    test('one at the limit is taken', async () => {
      const text = 'x'.repeat(bodyLimit - JSON.stringify({ text: '' }).length)
      expect((await post(path, { text })).status).toBe(200)
    })

    test.each([{ 'x-fal-request-timeout': 'soon' }, { 'x-fal-request-start-timeout': '-1' }])(
      'a header %j that makes no sense is a bad request',
      async (headers) => {
        const refused = await post(path, {}, { headers })
        expect([refused.status, refused.headers.get('x-fal-error-type')]).toEqual([400, 'bad_request'])
        const [name] = Object.keys(headers)
        expect(await refused.json()).toEqual({ detail: expect.stringContaining(name ?? ''), error_type: 'bad_request' })
      },
    )
  })

  test('a queue that is longer than its caller wants takes no more from it', async () => {
    const taken = await Promise.all(Array.from({ length: 6 }, () => post('/queue/tester/echo', { seconds: 2 })))
    expect(taken.map(({ status }) => status)).toEqual(Array(6).fill(200))
    const refused = await post('/queue/tester/echo?fal_max_queue_length=1')
    expect([refused.status, refused.headers.get('x-fal-error-type')]).toEqual([429, 'queue_full'])
    expect((await post('/queue/tester/echo?fal_max_queue_length=100')).status).toBe(200)
    expect((await post('/queue/tester/echo?fal_max_queue_length=few')).status).toBe(400)
    await until(async () => (await carrick.status()).queued === 0, 'an empty queue')
  })

  test('the server is as it was', async () => {
    expect(await (await post('/tester/echo', { text: 'well' })).json()).toMatchObject({ text: 'well' })
  })
})
