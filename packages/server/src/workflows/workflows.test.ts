import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { deleteApp } from '../store/apps.ts'
import { openTestGateway, type TestGateway } from '../testing/gateway.ts'
import { textOf } from '../testing/runner.ts'
import { nodeRequestId } from './node.ts'

let gateway: TestGateway
/** What the app was sent, as whom, and what waits in it. */
const seen: { body: unknown; caller: unknown }[] = []
const held: ServerResponse[] = []

async function echo(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const body = JSON.parse((await textOf(req)) || '{}') as { fail?: number; hold?: boolean; size?: number }
  seen.push({ body, caller: req.headers['x-fal-caller-user-id'] })
  if (body.hold === true) return void held.push(res)
  res.writeHead(body.fail ?? 200, { 'content-type': 'application/json' })
  res.end(
    JSON.stringify(body.fail === undefined ? { ...body, large: 'x'.repeat(body.size ?? 0) } : { detail: 'failed' }),
  )
}

const call = (input: unknown, more: object = {}) => ({ type: 'run', app: 'ann/echo', depends: [], input, ...more })
const post = (path: string, body: unknown, key?: string) =>
  gateway.fetch(path, { method: 'POST', body: JSON.stringify(body), ...(key === undefined ? {} : { key }) })

beforeAll(async () => {
  gateway = await openTestGateway()
  await gateway.addApp('echo', { runner: (req, res) => void echo(req, res) })
})
afterAll(() => gateway[Symbol.asyncDispose]())

test('nodes call as the owner, whoever calls the workflow, and large answers go from one to the next', async () => {
  const nodes = { a: call({ text: '$input.text', size: 100_000 }), b: call({ text: '$a.large' }) }
  await gateway.addWorkflow('relay', nodes, { text: '$b.text' })
  const answer = await post('/workflows/ann/relay', { text: 'hi' }, gateway.keys.bob)
  expect(answer.status).toBe(200)
  expect(await answer.json()).toEqual({ text: 'x'.repeat(100_000) })
  expect(seen.map(({ caller }) => caller)).toEqual(['account-ann', 'account-ann'])
})

test('nodes that wait for nothing run side by side; when one fails the others are cancelled', async () => {
  await gateway.addWorkflow(
    'fragile',
    { slow: call({ hold: true }), bad: call({ fail: '$input.fail' }) },
    { x: '$slow' },
  )
  for (const [fail, status] of [
    [422, 422],
    [500, 500],
    [502, 500],
  ]) {
    const answer = await post('/workflows/ann/fragile', { fail })
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({
      detail: `Node "bad" of the workflow failed with ${fail}: failed`,
      node_id: 'bad',
      error: { status: fail, body: { detail: 'failed' } },
    })
    for (const res of held.splice(0)) res.end('{}')
  }
  expect(gateway.verdicts.filter(({ runnerId }) => runnerId === 'workflows')).toEqual([])
})

test('what leads nowhere, an input that is no object, and other methods and paths are answered with a sentence', async () => {
  await gateway.addWorkflow('picky', { a: call({ text: '$input.text' }) }, { x: '$a.nothing' })
  const details = async (path: string, body: unknown) => {
    const answer = await post(path, body)
    return [answer.status, ((await answer.json()) as { detail: string }).detail]
  }
  const missing = 'Node "a" asks for "text" of $input, and there is none'
  expect(await details('/workflows/ann/picky', {})).toEqual([400, missing])
  expect(await details('/workflows/ann/picky', { text: '' })).toEqual([
    400,
    'The output asks for "nothing" of $a, and there is none',
  ])
  expect(await details('/workflows/ann/picky', [])).toEqual([400, 'The input is not an object'])
  expect((await details('/workflows/ann/picky/deep', {}))[0]).toBe(404)
  expect((await gateway.fetch('/workflows/ann/picky/stream')).status).toBe(405)
})

test('a stream that fails ends with an event that says so', async () => {
  const events = await (await post('/workflows/ann/fragile/stream', { fail: 422 })).text()
  const last = events.trim().split('\n\n').at(-1)?.replace('data: ', '') ?? ''
  expect(JSON.parse(last)).toMatchObject({ type: 'error', node_id: 'bad', error: { status: 422 } })
  for (const res of held.splice(0)) res.end('{}')
})

test('a workflow that is deleted is no longer there, and its home gets no more', async () => {
  await gateway.addWorkflow('brief', {}, { x: '$input' })
  expect((await post('/workflows/ann/brief', {})).status).toBe(200)
  await gateway.store.commit(deleteApp('workflow-brief', gateway.clock.now()))
  await vi.waitFor(async () => expect((await post('/workflows/ann/brief', {})).status).toBe(404))
  await vi.waitFor(() => expect(gateway.homes.of('workflow-brief').load().runners.size).toBe(0))
})

test("a node's request has an id of its own, the same whenever it is sent again", () => {
  const node = {
    type: 'run',
    id: 'a',
    app: { owner: 'ann', name: 'echo', path: '/' },
    input: {},
    after: new Set<string>(),
  } as const
  const id = nodeRequestId('run-1', node, { x: 1 })
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(nodeRequestId('run-1', node, { x: 1 })).toBe(id)
  const others = [
    nodeRequestId('run-2', node, { x: 1 }),
    nodeRequestId('run-1', node, { x: 2 }),
    nodeRequestId('run-1', { ...node, id: 'b' }, { x: 1 }),
    nodeRequestId('run-1', { ...node, app: { ...node.app, path: '/x' } }, { x: 1 }),
  ]
  expect(new Set([id, ...others]).size).toBe(5)
})
