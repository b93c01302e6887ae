import { once } from 'node:events'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { until, type Carrick } from './carrick.ts'

/** What `test/e2e/apps/strange/server.py` tells of a request. */
export interface Told {
  readonly runner: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly arguments: readonly string[]
  readonly variables: Readonly<Record<string, string>>
  readonly asked: readonly string[]
  readonly left: readonly string[]
}

const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
const told = async (answer: Response): Promise<Told> => (await answer.json()) as Told

/** Every way to call such a server, on paths that it did not choose with this platform in mind. */
export const waysToCall: Readonly<Record<string, (carrick: Carrick, app: string) => Promise<void>>> = {
  'any method, path, query and body reach it as they are': async (carrick, app) => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'POST', 'PROPFIND']) {
      const headers = { 'content-type': 'image/png', 'x-api-key': 'its own' }
      const answer = await carrick.ask(`${app}/a//b%2Fc/?x=1&x=2`, { method, headers, body: bytes })
      expect(answer.headers.getSetCookie()).toEqual(['one=1', 'two=2'])
      expect(await told(answer)).toMatchObject({
        method,
        path: '/a//b%2Fc/?x=1&x=2',
        headers,
        body: bytes.toString('base64'),
      })
    }
  },
  'a HEAD has its length and no body': async (carrick, app) => {
    const answer = await carrick.ask(`${app}/file`, { method: 'HEAD' })
    expect([Number(answer.headers.get('content-length')) > 100, await answer.text()]).toEqual([true, ''])
  },
  'events come one by one': async (carrick, app) => {
    const answer = await carrick.ask(`${app}/events`)
    const chunks: string[] = []
    for await (const chunk of answer.body ?? []) chunks.push(Buffer.from(chunk).toString())
    expect(chunks).toEqual(['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n'])
  },
  'a WebSocket is its own on every path': async (carrick, app) => {
    for (const path of ['/', '/realtime', '/deep/er?room=1']) {
      const socket = new WebSocket(`${carrick.url.replace('https:', 'ws:')}${app}${path}`, {
        headers: { authorization: `Key ${carrick.variables['FAL_KEY'] ?? ''}` },
      })
      await once(socket, 'open')
      socket.send('hello')
      expect((await once(socket, 'message')).map(String)).toEqual([`${path}: HELLO`, 'false'])
      socket.close()
    }
  },
  'the queue posts to every path': async (carrick, app) => {
    const submitted = await carrick.ask(`/queue${app}/v1/any?x=1`, {
      method: 'POST',
      body: bytes,
      headers: { 'content-type': 'audio/wav' },
    })
    const { response_url: url } = (await submitted.json()) as { response_url: string }
    let answer: Response | undefined
    await until(
      async () => (answer = await carrick.ask(new URL(url).pathname)).status === 200,
      'the queued request to end',
    )
    expect(await told(answer!)).toMatchObject({ method: 'POST', path: '/v1/any?x=1', body: bytes.toString('base64') })
  },
  'who leaves is a connection that closes': async (carrick, app) => {
    // A runner that has it may have no other slot in which to say so: who left too soon for the server comes again.
    await until(async () => {
      const leaving = AbortSignal.timeout(500)
      await expect(carrick.ask(`${app}/silent?mine`, { signal: leaving })).rejects.toThrow(/abort/)
      const answers = await Promise.all(Array.from({ length: 4 }, async () => told(await carrick.ask(`${app}/left`))))
      return answers.some(({ left }) => left.includes('/silent?mine'))
    }, 'the server to see it')
  },
  'what it says of itself is its list of endpoints': async (carrick, app) => {
    let endpoints: readonly string[] | undefined
    await until(async () => {
      const { apps } = (await (await carrick.ask('/v1/serverless/apps?expand=endpoints')).json()) as {
        apps: { endpoint_id: string; endpoints: string[] }[]
      }
      endpoints = apps.find(({ endpoint_id: id }) => `/${id}` === app)?.endpoints
      return endpoints?.length === 2
    }, 'its document to be read')
    expect(endpoints).toEqual(['/draw', '/v1/models'].map((path) => `${app.slice(1)}${path}`))
    expect(await (await carrick.ask(`/applications${app}/metadata`)).json()).not.toHaveProperty('openapi')
  },
}

/** Calls until as many runners have answered; answers what the last one of each told. */
export async function byRunner(carrick: Carrick, app: string, runners: number): Promise<ReadonlyMap<string, Told>> {
  const seen = new Map<string, Told>()
  await until(async () => {
    const answers = await Promise.all(Array.from({ length: 4 }, () => carrick.ask(`${app}/who`)))
    for (const answer of answers.filter(({ ok }) => ok)) {
      const one = await told(answer)
      seen.set(one.runner, one)
    }
    return seen.size >= runners
  }, `${runners} runners to answer`)
  return seen
}
