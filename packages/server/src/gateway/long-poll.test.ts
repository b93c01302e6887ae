import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openTestGateway, type TestGateway } from '../testing/gateway.ts'
import { preferredWait } from './long-poll.ts'

let gateway: TestGateway
beforeAll(async () => (gateway = await openTestGateway()))
afterAll(() => gateway[Symbol.asyncDispose]())

test.each<[prefer: string, seconds: number]>([
  ['wait=10', 10],
  ['respond-async, wait=5', 5],
  ['Wait = "7"', 7],
  ['wait=7; foo=bar', 7],
  ['wait=100000', 60],
  ['wait=0', 0],
  ['wait=-1', 0],
  ['wait=soon', 0],
  ['wait', 0],
  ['await=9', 0],
  ['', 0],
])('Prefer: %s waits %d seconds', (prefer, seconds) => expect(preferredWait(prefer)).toBe(seconds))

describe('a question that may wait', () => {
  const waiting = { headers: { prefer: 'wait=30' } }

  async function submitted(name: string): Promise<{ at: string; finish: () => void }> {
    let finish = () => {}
    await gateway.addApp(name, { runner: (_req, res) => (finish = () => void res.end('the result')) })
    const answer = await gateway.fetch(`/queue/ann/${name}`, { method: 'POST' })
    const { request_id: id }: { request_id: string } = JSON.parse(await answer.text())
    const at = `/queue/ann/${name}/requests/${id}`
    await vi.waitFor(async () => expect(await (await gateway.fetch(`${at}/status`)).text()).toContain('IN_PROGRESS'))
    return { at, finish: () => finish() }
  }

  test('is answered when the request is over: the status and the result at the same moment', async () => {
    const { at, finish } = await submitted('long')
    const answers = Promise.all([gateway.fetch(`${at}/status`, waiting), gateway.fetch(at, waiting)])
    await expect.poll(async () => (await gateway.fetch(at)).status).toBe(400) // who does not say so does not wait
    finish()
    const [status, result] = await answers
    expect([status.status, status.headers.get('preference-applied')]).toEqual([200, 'wait=30'])
    expect([result.status, await result.text()]).toEqual([200, 'the result'])
  })

  test('is answered as it stands when its time is over', async () => {
    const { at, finish } = await submitted('longer')
    const brief = { headers: { prefer: 'wait=1' } }
    expect((await gateway.fetch(`${at}/status`, brief)).status).toBe(202)
    expect((await gateway.fetch(at, brief)).status).toBe(400)
    finish()
  })

  test('tells a stranger nothing, and at once', async () => {
    const { at, finish } = await submitted('private')
    expect((await gateway.fetch(`${at}/status`, { ...waiting, key: gateway.keys.bob })).status).toBe(404)
    expect((await gateway.fetch(`${at}/status`, { ...waiting, key: null })).status).toBe(401)
    finish()
  })
})
