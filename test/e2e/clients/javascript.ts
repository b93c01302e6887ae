// The official JavaScript client, unmodified, with everything it can do in Node but realtime and webhooks. It is pointed
// at Carrick by its `proxyUrl` setting. Prints JSON.
import {
  ApiError,
  createFalClient,
  fal,
  isCompletedQueueStatus,
  isQueueStatus,
  isRetryableError,
  parseEndpointId,
  ValidationError,
  withMiddleware,
  withProxy,
  type RequestMiddleware,
} from '@fal-ai/client'

const url = process.env['CARRICK_URL'] ?? ''
const credentials = process.env['FAL_KEY'] ?? ''
fal.config({ credentials: () => credentials, proxyUrl: { url, when: 'always' }, suppressLocalCredentialsWarning: true })

const app = 'tester/echo'
type Echoed = { text: string; headers: Record<string, string>; request: string }
const data = async <T = Echoed>(call: Promise<{ data: unknown }>) => (await call).data as T

async function words(call: Promise<unknown>) {
  const error = await call.then(
    () => new Error('it did not fail'),
    (failure: unknown) => failure as Error,
  )
  const { name, message } = error
  const { status, requestId, isUserTimeout } = error as Partial<ApiError<unknown>> & { isUserTimeout?: boolean }
  const kinds = [error instanceof ApiError, error instanceof ValidationError]
  const field = error instanceof ValidationError ? error.fieldErrors.length : 0
  return { name, message, status, kinds, field, named: (requestId ?? '') !== '', isUserTimeout }
}

async function calls() {
  const lifecycle = { expiresIn: '1h', initialAcl: { default: 'hide', rules: [{ user: 'tester', decision: 'allow' }] } }
  const storageSettings = lifecycle as NonNullable<Parameters<typeof fal.run>[1]['storageSettings']>
  const ran = await fal.run(app, { input: { text: 'run' }, method: 'post', startTimeout: 60, storageSettings })
  const gone = new AbortController()
  const leaving = fal.run(`${app}/slow`, { input: { seconds: 60 }, abortSignal: gone.signal })
  setTimeout(() => gone.abort(), 300)
  return {
    ran: ran.data,
    named: ran.requestId === (ran.data as Echoed).request,
    got: await words(fal.run(app, { input: { text: 'in the query' }, method: 'get' })),
    left: (await words(leaving)).name,
    invalid: await words(fal.run(app, { input: { seconds: 'many' } })),
    failed: await words(fal.run(`${app}/fail`, { input: { text: 'mine' } })),
    unknown: await words(fal.run('tester/nothing', { input: {} })),
  }
}

/** The other ways to configure a client. */
async function clients() {
  const asked: string[] = []
  const watching: RequestMiddleware = async (request) => (asked.push(request.url), request)
  const elsewhere: RequestMiddleware = withProxy({ targetUrl: url, when: () => true })
  const middle = createFalClient({
    credentials,
    requestMiddleware: withMiddleware(watching, elsewhere),
    responseHandler: async (response) => ({ handled: response.status }) as never,
  })
  const fetched: (string | null)[] = []
  const own: typeof fetch = (target, init) => {
    fetched.push(new Headers(init?.headers).get('x-fal-target-url'))
    return fetch(target, init)
  }
  const patient = createFalClient({
    credentials,
    proxyUrl: { url, when: ({ isBrowser }) => !isBrowser },
    fetch: own,
    retry: {
      maxRetries: 2,
      baseDelay: 10,
      maxDelay: 20,
      backoffMultiplier: 2,
      retryableStatusCodes: [404],
      enableJitter: false,
    },
  })
  return {
    handled: await middle.run(app, { input: {} }),
    asked,
    retried: [(await words(patient.run('tester/nothing', { input: {} }))).status, fetched],
    retryable: [429, 500].map((status) => isRetryableError(new ApiError({ message: '', status }), [429])),
    parsed: parseEndpointId('workflows/a/b/c'),
  }
}

async function queue() {
  const options = { input: { text: 'queued' }, priority: 'low', hint: 'nowhere', startTimeout: 60 } as const
  const submitted = await fal.queue.submit(app, { ...options, headers: { 'x-mine': 'yes' } })
  const { request_id: requestId } = submitted
  const streamed: string[] = []
  const stream = await fal.queue.streamStatus(app, { requestId, logs: true, connectionMode: 'server' })
  for await (const status of stream) streamed.push(status.status)
  const status = await fal.queue.status(app, { requestId, logs: true, abortSignal: new AbortController().signal })
  return {
    submitted,
    streamed: streamed.at(-1),
    status,
    kinds: [isQueueStatus(status), isCompletedQueueStatus(status), isCompletedQueueStatus(submitted)],
    result: await data(fal.queue.result(app, { requestId })),
    late: await words(fal.queue.cancel(app, { requestId })),
  }
}

async function subscriptions() {
  const lines: string[] = []
  const ids: string[] = []
  const subscribed = await fal.subscribe(app, {
    input: { text: 'subscribe', seconds: 0.5 },
    mode: 'polling',
    pollInterval: 100,
    logs: true,
    timeout: 60_000,
    startTimeout: 60,
    priority: 'normal',
    headers: { 'x-mine': 'yes' },
    onEnqueue: (requestId) => void ids.push(requestId),
    onQueueUpdate: (update) => {
      // A slow machine sees none of the half second in which it runs: then the lines come with its end.
      if (update.status !== 'IN_QUEUE') lines.push(...update.logs.map(({ message }) => message))
    },
  })
  const followed = await fal.subscribe(app, {
    input: { text: 'followed' },
    mode: 'streaming',
    connectionMode: 'server',
  })
  const slow: string[] = []
  const late = await words(
    fal.subscribe(`${app}/slow`, { input: { seconds: 60 }, timeout: 700, onEnqueue: (id) => void slow.push(id) }),
  )
  const requestId = slow[0] ?? ''
  const ended = await fal.queue.subscribeToStatus(app, { requestId, mode: 'polling', pollInterval: 50, logs: true })
  const stopped = await words(fal.queue.result(app, { requestId }))
  return {
    subscribed: subscribed.data,
    named: ids[0] === subscribed.requestId,
    lines,
    followed: followed.data,
    late,
    ended,
    stopped,
  }
}

async function streams() {
  const endpoint = `${app}/stream`
  const options = {
    input: { count: 3 },
    method: 'post',
    autoUpload: false,
    timeout: 60_000,
    connectionMode: 'server',
  } as const
  const stream = await fal.stream(endpoint, { ...options, accept: 'text/event-stream', queryParams: { a: 'b' } })
  const heard: unknown[] = []
  const ends: string[] = []
  stream.on('data', (event) => void heard.push(event))
  stream.on('done', () => void ends.push('done'))
  const events: unknown[] = []
  for await (const event of stream) events.push(event)
  const leaving = await fal.streaming.stream(endpoint, {
    input: { count: 100, seconds: 0.2 },
    signal: new AbortController().signal,
  })
  const left = leaving.done().catch((error: unknown) => (error as Error).name)
  leaving.on('data', () => leaving.abort('enough'))
  const refused = await fal.stream(endpoint, { input: { count: 'many' } })
  return {
    events,
    heard,
    ends,
    last: await stream.done(),
    named: stream.requestId !== '' && !stream.signal.aborted,
    left: [await left, leaving.signal.aborted],
    refused: await words(refused.done()),
  }
}

async function files() {
  const uploaded = await fal.storage.upload(new Blob(['stored'], { type: 'text/plain' }), {
    lifecycle: { expiresIn: '1d' },
  })
  const input = await fal.storage.transformInput({
    nested: [new Blob(['in an input'], { type: 'text/plain' })],
    plain: 1,
  })
  const read = async (at: unknown) => (await fetch(String(at))).text()
  return {
    uploaded: await read(uploaded),
    nested: await read((input['nested'] as unknown[])[0]),
    plain: input['plain'],
  }
}

/** All three runners work: what comes now does not start in time. */
async function full() {
  const busy = await Promise.all([1, 2, 3].map(() => fal.queue.submit(`${app}/slow`, { input: { seconds: 60 } })))
  const state = async ({ request_id: requestId }: { request_id: string }) =>
    (await fal.queue.status(app, { requestId })).status
  while ((await Promise.all(busy.map(state))).some((status) => status !== 'IN_PROGRESS'))
    await new Promise((wake) => setTimeout(wake, 100))
  const overdue = await words(fal.run(app, { input: {}, startTimeout: 1.1 }))
  const queued = await words(fal.subscribe(app, { input: {}, startTimeout: 1.1, pollInterval: 100 }))
  await Promise.all(
    busy.map(({ request_id: requestId }) =>
      fal.queue.cancel(app, { requestId, abortSignal: new AbortController().signal }),
    ),
  )
  return { overdue, queued }
}

const parts = { calls, clients, queue, subscriptions, streams, files, full }
const seen: Record<string, unknown> = {}
for (const [name, part] of Object.entries(parts)) seen[name] = await part()
console.log(JSON.stringify(seen))
