// Everything that stays open, by the official JavaScript client, unmodified: by its `proxyUrl` setting, its `fetch` setting
// and, because it has none for WebSockets, by another `WebSocket` in the place of the global one. Prints JSON.
import { setImmediate } from 'node:timers/promises'
import { fal } from '@fal-ai/client'

const url = process.env['CARRICK_URL'] ?? ''
const key = process.env['FAL_KEY'] ?? ''
const app = 'tester/live'

/** What the client would have gone to, here. */
const redirected = (to: string): string =>
  to.replace('https://queue.fal.run', `${url}/queue`).replace(/^https:\/\/fal\.run/, url)

const opened: string[] = []
globalThis.WebSocket = class extends WebSocket {
  constructor(to: string | URL) {
    const here = String(to).replace('wss://fal.run', url.replace(/^http/, 'ws'))
    super(here)
    this.binaryType = 'arraybuffer'
    opened.push(new URL(here).search)
  }
}
fal.config({
  credentials: key,
  proxyUrl: { url, when: 'always' },
  fetch: (to, init) => fetch(typeof to === 'string' ? redirected(to) : to, init),
})

/** As the documentation has it: a server that holds the key hands out tokens. */
async function tokenProvider(endpoint: string): Promise<string> {
  const answer = await fetch(`${url}/tokens/realtime`, {
    method: 'POST',
    headers: { authorization: `Key ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ allowed_apps: [endpoint], duration: 60 }),
  })
  return ((await answer.json()) as { token: string }).token
}

type Handler = Parameters<typeof fal.realtime.connect>[1]

/**
 * Sends one message after the other and gives what came back for each: a result, or an error's words. Two faults of the
 * client are kept out of the way. A second message within its throttle's 128 ms is dropped when its timer fires a
 * millisecond early, so there is none. And a word of refusal and the close behind it may arrive as one: whoever sends
 * again in the moment of the close has that message dropped by the refusal, whose decoding takes some microtasks more.
 */
async function converse(messages: readonly object[], options: Partial<Handler> = {}): Promise<string[]> {
  let settle: (text: string) => void = () => {}
  const connection = fal.realtime.connect(app, {
    onResult: (result: unknown) => settle((result as { text: string }).text),
    onError: ({ message }) => settle(message),
    throttleInterval: 0,
    ...options,
  })
  const answers: string[] = []
  for (const message of messages) {
    const { promise, resolve } = Promise.withResolvers<string>()
    settle = resolve
    connection.send(message)
    answers.push(await promise)
    await setImmediate()
  }
  connection.close()
  return answers
}

const byDefault = await converse([{ text: 'one' }, { text: 'two' }], { maxBuffering: 5 })
const byProvider = await converse([{ text: 'three' }], { tokenProvider })
const inJson = await converse([{ text: 'four' }], {
  encodeMessage: (input) => (typeof input === 'string' ? input : JSON.stringify(input)),
})
const failing = await converse([{ text: 'fail' }])

let asked = 0
const expiring = await converse([{ text: 'five' }, { text: 'six' }], {
  tokenProvider: async (endpoint) => ((asked += 1) === 1 ? 'no token' : tokenProvider(endpoint)),
})

const events: unknown[] = []
const stream = await fal.stream(app, { input: { count: 3 } })
for await (const event of stream) events.push(event)
const last = await stream.done()

const direct = await fal.stream(app, { input: { count: 2 }, connectionMode: 'client', tokenProvider })
const fromBrowser = await direct.done()

let bytes = 0
const raw = await fal.stream(`${app}/bytes/stream`, { input: { count: 4 } })
raw.on('data', (chunk: Uint8Array) => (bytes += chunk.length))
await raw.done()

const left = await fal.stream(app, { input: { count: 1000 } })
await new Promise<void>((resolve) => left.on('data', () => resolve()))
left.abort()

const { request_id: requestId } = await fal.queue.submit(app, { input: { text: 'queued' } })
const statuses = await fal.queue.streamStatus(app, { requestId, logs: false, connectionMode: 'client' })
const { status } = (await statuses.done()) as { status: string }

console.log(
  JSON.stringify({
    byDefault,
    byProvider,
    inJson,
    failing,
    expiring,
    buffering: opened[0]?.includes('max_buffering=5'),
    events,
    last,
    fromBrowser,
    bytes,
    left: left.requestId,
    status,
  }),
)
process.exit(0)
