// What a page does with the official JavaScript client, unmodified. The test bundles it and calls `check` in the browser.
import { createFalClient, type RequestMiddleware } from '@fal-ai/client'

export interface Way {
  /** Where Carrick is. */
  readonly carrick: string
  /** A server of `@fal-ai/server-proxy`, which has the key. Without it the page has one, and asks across origins. */
  readonly proxy?: string
  readonly key?: string
  /** What the key is for, when Carrick itself is the proxy: the client goes there by `proxyUrl` alone. */
  readonly itself?: boolean
}

const app = 'tester/echo'

/** Everything a page can do, and what came of it. */
async function check({ carrick, proxy, key, itself = false }: Way) {
  const fal = createFalClient({
    ...(key === undefined ? {} : { credentials: key }),
    ...(proxy === undefined ? {} : { proxyUrl: proxy }),
    ...(itself ? { proxyUrl: { url: carrick, when: 'always' } } : { requestMiddleware: to(carrick) }),
    suppressLocalCredentialsWarning: true,
  })
  const ran = await fal.run(app, { input: { text: 'run' } })
  const lines: string[] = []
  const subscribed = await fal.subscribe(app, {
    input: { text: 'subscribe', seconds: 0.5 },
    logs: true,
    pollInterval: 100,
    onQueueUpdate: (update) => {
      if (update.status !== 'IN_QUEUE') lines.push(...update.logs.map(({ message }) => message))
    },
  })
  const followed = await fal.subscribe(app, { input: { text: 'followed' }, mode: 'streaming' })

  const { request_id: requestId } = await fal.queue.submit(app, { input: { text: 'queued' }, priority: 'low' })
  const states = new Set<string>()
  do states.add((await fal.queue.status(app, { requestId, logs: true })).status)
  while (!states.has('COMPLETED'))
  const queued = await fal.queue.result(app, { requestId })

  const doomed = await fal.queue.submit(`${app}/slow`, { input: { seconds: 120 } })
  await fal.queue.cancel(app, { requestId: doomed.request_id })
  await fal.queue.subscribeToStatus(app, { requestId: doomed.request_id, pollInterval: 100 })
  const cancelled = await fal.queue.result(app, { requestId: doomed.request_id }).catch(words)

  const stream = await fal.stream(`${app}/stream`, { input: { count: 3 } })
  const events: unknown[] = []
  for await (const event of stream) events.push(event)

  const url = await fal.storage.upload(new Blob(['from a page'], { type: 'text/plain' }))
  const refused = await fal.run(app, { input: { seconds: 'many' } }).catch(words)
  const unknown = await fal.run('tester/nothing', { input: {} }).catch(words)
  return {
    ran: ran.data,
    subscribed: subscribed.data,
    followed: followed.data,
    queued: queued.data,
    last: [...states].at(-1),
    ids: [ran.requestId, subscribed.requestId, queued.requestId === requestId],
    lines,
    cancelled,
    events,
    uploaded: await (await fetch(url)).text(),
    refused,
    unknown,
  }
}

/** Sends to Carrick what the client means for the hosts that it has built in. */
const to =
  (carrick: string): RequestMiddleware =>
  async (request) => {
    const { host, pathname, search } = new URL(request.url)
    const prefix = host === 'queue.fal.run' ? '/queue' : ''
    return { ...request, url: `${carrick}${prefix}${pathname}${search}` }
  }

function words(error: unknown): unknown {
  const { name, message, status, requestId } = error as Error & { status?: number; requestId?: string }
  return { name, message, status, named: requestId !== undefined && requestId !== '' }
}

Object.assign(globalThis, { check })
