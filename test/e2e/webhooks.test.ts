import { createHash, createPublicKey, verify, type JsonWebKey } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createFalClient } from '@fal-ai/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isPublicAddress } from '../../packages/server/src/domain/public-address.ts'
import { Carrick, until } from './carrick.ts'

/** How a receiver in Python knows that it was us: as the field's documentation tells it to, with `cryptography`. */
const receiver = `
import base64, hashlib, json, sys, time, urllib.request
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

jwks_url, headers, body = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3].encode()
assert abs(int(time.time()) - int(headers["x-fal-webhook-timestamp"])) <= 300
message = "\\n".join([
    headers["x-fal-webhook-request-id"],
    headers["x-fal-webhook-user-id"],
    headers["x-fal-webhook-timestamp"],
    hashlib.sha256(body).hexdigest(),
]).encode()
verified = 0
for key in json.load(urllib.request.urlopen(jwks_url))["keys"]:
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"]))
        public.verify(bytes.fromhex(headers["x-fal-webhook-signature"]), message)
        verified += 1
    except (ValueError, InvalidSignature):
        continue
print(json.dumps(verified))`

const submitWithPython = `
import fal_client, json, sys
handle = fal_client.submit("tester/hooked", {"text": "from Python"}, webhook_url=sys.argv[1])
print(json.dumps(handle.request_id))`

/** A workflow of one step. */
const publish = `
import json
from fal.workflows import create_workflow
from pydantic import BaseModel

class Input(BaseModel):
    text: str

workflow = create_workflow("hooked-steps", input=Input, output=Input)
step = workflow.run("tester/hooked", {"text": workflow.input.text})
workflow.set_output({"text": step["text"]})
workflow.publish("Hooked steps")
print(json.dumps("published"))`

interface Got {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface Listed {
  readonly request_id: string
  readonly state: string
  readonly attempts: number
  readonly last_status_code: number | null
  readonly last_answer: string | null
}

describe('webhooks', () => {
  let carrick: Carrick
  let server: Server
  let hook = ''
  const got: Got[] = []
  /** What the receiver answers, by path. Others get 200. */
  const answers = new Map<string, (res: ServerResponse, turn: number) => void>()

  beforeAll(async () => {
    server = createServer(async (req, res) => {
      const body = await text(req).catch(() => '')
      const path = req.url ?? ''
      got.push({ path, headers: req.headers, body })
      const answer = answers.get(path)
      if (answer) answer(res, at(path).length)
      else res.end('heard')
    }).listen(0, '127.0.0.2')
    await once(server, 'listening')
    hook = `http://127.0.0.2:${(server.address() as AddressInfo).port}`
    carrick = await Carrick.start({ CARRICK_WEBHOOK_ALLOW: '127.0.0.2', CARRICK_WEBHOOK_LIMIT: '2000000' })
    await carrick.deploy('hooked.py::Hooked', 'hooked')
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await carrick[Symbol.asyncDispose]()
  })

  const at = (path: string) => got.filter((each) => each.path === path)
  const heard = async (path: string, times = 1) => {
    await until(() => at(path).length >= times, `${times} deliveries to ${path}`)
    return at(path)[times - 1]!
  }
  const told = (one: Got) => JSON.parse(one.body) as Record<string, unknown>
  const submit = async (
    path: string,
    body: object,
    { app = '/queue/tester/hooked', ...headers }: { app?: string; 'x-fal-request-timeout'?: string } = {},
  ) => {
    const answer = await carrick.ask(`${app}?fal_webhook=${encodeURIComponent(hook + path)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    return (await answer.json()) as { request_id: string; detail?: string }
  }
  const listed = async (id: string): Promise<Listed | undefined> => {
    const answer = await carrick.ask(`/v1/serverless/webhooks?request_id=${id}`)
    return ((await answer.json()) as { webhooks: Listed[] }).webhooks[0]
  }
  const becomes = (id: string, state: string) =>
    until(async () => (await listed(id))?.state === state, `the webhook of ${id} to be ${state}`)
  const jwks = async (path = '/.well-known/jwks.json', headers = {}) =>
    (await (await carrick.ask(path, { key: null, headers })).json()) as { keys: JsonWebKey[] }

  test('fal_client submits with webhook_url, and a receiver in Python verifies what it is told', async () => {
    const id = await carrick.python<string>(submitWithPython, `${hook}/python`)
    const one = await heard('/python')
    expect(told(one)).toEqual({
      request_id: id,
      gateway_request_id: id,
      status: 'OK',
      payload: { text: 'from Python', much: '' },
      error: null,
    })
    expect(one.headers).toMatchObject({ 'content-type': 'application/json', 'x-fal-webhook-request-id': id })
    const verified = (body: string) =>
      carrick.python<number>(receiver, `${carrick.url}/.well-known/jwks.json`, JSON.stringify(one.headers), body)
    // The sample decodes with padding: of the two ways in which the key is published it takes one.
    expect(await verified(one.body)).toBe(1)
    expect(await verified(one.body.replace('from', 'by'))).toBe(0)
  })

  test('@fal-ai/client submits with webhookUrl, and a receiver in Node verifies it with each key, by every name of the set', async () => {
    const client = createFalClient({
      credentials: carrick.variables['FAL_KEY'] ?? '',
      proxyUrl: { url: carrick.url.replace('https:', 'http:'), when: 'always' },
    })
    const input = { text: 'from Node' }
    const { request_id: id } = await client.queue.submit('tester/hooked', { input, webhookUrl: `${hook}/node` })
    const { headers, body } = await heard('/node')
    expect(JSON.parse(body)).toMatchObject({ request_id: id, status: 'OK', payload: input })
    const named = (name: string) => String(headers[`x-fal-webhook-${name}`])
    const hash = createHash('sha256').update(body).digest('hex')
    const message = Buffer.from([named('request-id'), named('user-id'), named('timestamp'), hash].join('\n'))
    const { keys } = await jwks()
    for (const key of keys) {
      const publicKey = createPublicKey({ key, format: 'jwk' })
      expect(verify(null, message, publicKey, Buffer.from(named('signature'), 'hex'))).toBe(true)
    }
    for (const host of ['rest.fal.ai', 'rest.alpha.fal.ai'])
      expect(await jwks('/', { 'x-fal-target-url': `https://${host}/.well-known/jwks.json` })).toEqual({ keys })
    expect(await jwks('/.well-known/jwks.json', { host: 'rest.localhost' })).toEqual({ keys })
  })

  test('results of every kind are told: an error of the app, a large one, one too large, one that is no JSON', async () => {
    await submit('/error', { fail: true })
    await submit('/large', { text: 'large', bytes: 1_000_000 })
    await submit('/too-large', { bytes: 3_000_000 })
    await submit('/text', { text: 'hello' }, { app: '/queue/tester/hooked/plain' })
    expect(told(await heard('/error'))).toMatchObject({
      status: 'ERROR',
      error: 'Invalid status code: 422',
      payload: { detail: 'it was asked to fail' },
    })
    const large = told(await heard('/large'))
    expect(large).toMatchObject({ status: 'OK', payload: { text: 'large' }, error: null })
    expect((large['payload'] as { much: string }).much).toHaveLength(1_000_000)
    const tooLarge = expect.stringContaining('larger than the 2000000 bytes') as string
    expect(told(await heard('/too-large'))).toMatchObject({ status: 'OK', payload: null, payload_error: tooLarge })
    expect(told(await heard('/text'))).toMatchObject({ payload: null, payload_error: 'The result is not JSON' })
  })

  test('a workflow tells of its end', async () => {
    await carrick.python(publish)
    const { request_id: id } = await submit(
      '/workflow',
      { text: 'through steps' },
      { app: '/queue/workflows/tester/hooked-steps' },
    )
    expect(told(await heard('/workflow'))).toMatchObject({
      request_id: id,
      status: 'OK',
      payload: { text: 'through steps' },
    })
  })

  test('requests that never ran tell of their end: cancelled, overdue, flushed', async () => {
    const file = join(carrick.shared, 'open-the-gate')
    await Promise.all([submit('/held', { file }), submit('/held', { file })])
    await until(async () => (await carrick.status()).running === 2, 'both places of the runner to be taken')
    const { request_id: id } = await submit('/cancelled', {})
    await submit('/overdue', {}, { 'x-fal-request-timeout': '0.5' })
    await carrick.ask(`/queue/tester/hooked/requests/${id}/cancel`, { method: 'PUT' })
    expect(told(await heard('/cancelled'))).toMatchObject({
      request_id: id,
      status: 'ERROR',
      error: 'The request was cancelled',
      payload: { error_type: 'client_cancelled' },
    })
    expect(told(await heard('/overdue'))).toMatchObject({ status: 'ERROR', payload: { error_type: 'request_timeout' } })
    await submit('/flushed', {})
    expect((await carrick.fal('queue', 'flush', 'hooked')).code).toBe(0)
    expect(told(await heard('/flushed'))).toMatchObject({ status: 'ERROR' })
    await writeFile(file, '')
    await heard('/held', 2)
  })

  test('a delivery that kill -9 cut off is made by the next start, and one that failed goes on', async () => {
    answers.set('/killed', (res, turn) => void (turn > 1 && res.end('at last')))
    answers.set('/fails-first', (res, turn) => res.writeHead(turn === 1 ? 503 : 200).end(`turn ${turn}`))
    const { request_id: id } = await submit('/killed', { text: 'kept' })
    const { request_id: failing } = await submit('/fails-first', {})
    await Promise.all([heard('/killed'), heard('/fails-first')])
    await until(async () => (await listed(failing))?.attempts === 1, 'the failure to be on record')
    await carrick.down('SIGKILL')
    await carrick.up()
    const [first, second] = [await heard('/killed'), await heard('/killed', 2)]
    expect(second.body).toBe(first.body)
    expect(told(second)).toMatchObject({ request_id: id, payload: { text: 'kept' } })
    await becomes(id, 'delivered')
    await becomes(failing, 'delivered')
    expect(await listed(failing)).toMatchObject({ attempts: 2, last_answer: 'turn 2' })
  })

  test('a redirect ends it; carrick webhooks lists it and sends it again', async () => {
    answers.set('/moved', (res, turn) =>
      turn === 1 ? res.writeHead(302, { location: `${hook}/elsewhere` }).end() : res.end('back again'),
    )
    const { request_id: id } = await submit('/moved', {})
    await becomes(id, 'failed')
    expect(at('/elsewhere')).toEqual([])
    const list = await carrick.carrick('webhooks', 'list', '--state', 'failed')
    expect(list.stdout).toMatch(new RegExp(`${id} +failed +1 sent +\\S+ +302 .*/moved +redirects are not followed`))
    expect((await carrick.carrick('webhooks', 'resend', id)).stdout).toContain(`${hook}/moved`)
    await becomes(id, 'delivered')
    const shown = await carrick.carrick('webhooks', 'list', '--request', id, '--json')
    expect(JSON.parse(shown.stdout)).toMatchObject({ webhooks: [{ state: 'delivered', last_answer: 'back again' }] })
    expect(await carrick.carrick('webhooks', 'resend', 'no-such-request')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not found') as string,
    })
    const metrics = await (await carrick.ask('/metrics')).text()
    expect(metrics).toMatch(/carrick_webhook_deliveries_total\{outcome="delivered"\} [1-9]/)
    expect(metrics).toContain('carrick_webhooks_due 0')
  })

  test.each([
    'http://127.0.0.1/',
    'http://localhost:8700/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://169.254.169.254/latest/meta-data',
    'http://2852039166/',
    'http://10.0.0.1/',
    'https://ann:secret@example.com/',
    'example.com',
  ])('%s is refused at submit, with a sentence', async (url) => {
    const answer = await carrick.ask(`/queue/tester/hooked?fal_webhook=${encodeURIComponent(url)}`, {
      method: 'POST',
      body: '{}',
    })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('fal_webhook') as string })
  })

  test('a name that leads to an address that is not allowed gets nothing', async (context) => {
    // The machine's own name, which leads to another address of its own than the one that the operator allowed above.
    const name = hostname()
    const known = await lookup(name, { all: true }).catch(() => [])
    if (known.length === 0 || known.some(({ address }) => address === '127.0.0.2' || isPublicAddress(address)))
      context.skip(`the name of this machine, ${name}, leads to no private address of its own`)
    const url = `http://${name}:${new URL(hook).port}/by-name`
    const answer = await carrick.ask(`/queue/tester/hooked?fal_webhook=${encodeURIComponent(url)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    const { request_id: id } = (await answer.json()) as { request_id: string }
    await becomes(id, 'failed')
    expect(await listed(id)).toMatchObject({ last_answer: expect.stringContaining('not public') as string })
    expect(at('/by-name')).toEqual([])
  })
})
