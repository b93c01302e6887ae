import { expect, onTestFinished, test, vi } from 'vitest'
import { openTestGateway, type TestApp, type TestGateway } from '../testing/gateway.ts'

async function open(): Promise<TestGateway> {
  const gateway = await openTestGateway()
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return gateway
}

interface Event {
  readonly status: string
  readonly queue_position?: number
}

class Stream {
  readonly events: Event[] = []
  readonly ended: Promise<'ended' | 'broken off'>

  constructor(answer: Response) {
    this.ended = this.#read(answer)
  }

  async #read(answer: Response): Promise<'ended' | 'broken off'> {
    let text = ''
    try {
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk
        const parts = text.split('\n\n')
        text = parts.pop() ?? ''
        for (const part of parts) if (part.startsWith('data: ')) this.events.push(JSON.parse(part.slice(6)))
      }
      return 'ended'
    } catch {
      return 'broken off'
    }
  }
}

async function submitted(gateway: TestGateway, { name }: TestApp): Promise<string> {
  const answer = await gateway.fetch(`/queue/ann/${name}`, { method: 'POST', body: '{}' })
  return ((await answer.json()) as { request_id: string }).request_id
}

async function follow(gateway: TestGateway, id: string, query = ''): Promise<Stream> {
  return new Stream(await gateway.fetch(`/queue/ann/app/requests/${id}/status/stream${query}`))
}

const patient = { timeout: 20_000 }

test('it tells how the queue moves, and ends with the request', async () => {
  const gateway = await open()
  const app = await gateway.addApp('app', { scale: { max_multiplexing: 1 } })
  const ids = [await submitted(gateway, app), await submitted(gateway, app), await submitted(gateway, app)]
  const [, , last] = await Promise.all(ids.map((id) => follow(gateway, id)))
  await vi.waitFor(() => expect(last?.events).toMatchObject([{ status: 'IN_QUEUE', queue_position: 2 }]), patient)
  await gateway.fetch(`/queue/ann/app/requests/${ids[0]}/cancel`, { method: 'PUT' })
  await vi.waitFor(() => expect(last?.events.at(-1)).toMatchObject({ queue_position: 1 }), patient)
  await gateway.serveBy(app, (_req, res) => res.end('{}'))
  expect(await last?.ended).toBe('ended')
  expect(last?.events.at(-1)?.status).toBe('COMPLETED')
})

test.each(['cancelled', 'flushed', 'overdue'])('it ends with a request that is %s while it waits', async (how) => {
  const gateway = await open()
  const app = await gateway.addApp('app')
  const headers = how === 'overdue' ? { 'x-fal-request-timeout': '1' } : {}
  const answer = await gateway.fetch('/queue/ann/app', { method: 'POST', body: '{}', headers })
  const { request_id: id } = (await answer.json()) as { request_id: string }
  const stream = await follow(gateway, id)
  if (how === 'cancelled') await gateway.fetch(`/queue/ann/app/requests/${id}/cancel`, { method: 'PUT' })
  if (how === 'flushed') await gateway.flush(app.id)
  expect(await stream.ended).toBe('ended')
  expect(stream.events.at(-1)?.status).toBe('COMPLETED')
})

test('asked for its head alone it does not stay open', async () => {
  const gateway = await open()
  const id = await submitted(gateway, await gateway.addApp('app'))
  const answer = await gateway.fetch(`/queue/ann/app/requests/${id}/status/stream`, { method: 'HEAD' })
  expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/)
  expect(await answer.text()).toBe('')
})

test('while the server stops, it breaks off for what waits and goes on to the end for what runs', async () => {
  const gateway = await open()
  let finish = () => {}
  const app = await gateway.addApp('app', {
    scale: { max_multiplexing: 1 },
    runner: (_req, res) => void (finish = () => res.end('{}')),
  })
  const [running, waiting] = [await submitted(gateway, app), await submitted(gateway, app)]
  const [first, second] = [await follow(gateway, running), await follow(gateway, waiting)]
  await vi.waitFor(() => expect(first.events.at(-1)?.status).toBe('IN_PROGRESS'), patient)
  await vi.waitFor(() => expect(second.events.at(-1)?.status).toBe('IN_QUEUE'), patient)

  await gateway.idle({ graceMs: 0 })
  expect(await second.ended).toBe('broken off')
  finish()
  expect(await first.ended).toBe('ended')
  expect(first.events.at(-1)?.status).toBe('COMPLETED')
})

test('of a request that has ended it tells the end alone, in one piece', async () => {
  const gateway = await open()
  const app = await gateway.addApp('app', { runner: (_req, res) => res.end('{}') })
  const id = await submitted(gateway, app)
  await (
    await follow(gateway, id)
  ).ended
  const answer = await gateway.fetch(`/queue/ann/app/requests/${id}/status/stream`)
  const told = await answer.text()
  expect(told).toMatch(/^data: \{"status":"COMPLETED"[^\n]*\n\n$/)
  expect(answer.headers.get('content-length')).toBe(String(told.length))
})
