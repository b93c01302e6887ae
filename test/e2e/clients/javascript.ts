// The official JavaScript client, unmodified, pointed at Carrick by its `proxyUrl` setting alone. Prints JSON.
import { fal } from '@fal-ai/client'

fal.config({ credentials: process.env['FAL_KEY'], proxyUrl: { url: process.env['CARRICK_URL'] ?? '', when: 'always' } })

const app = 'tester/echo'
const ran = await fal.run(app, { input: { text: 'run' } })

const lines: string[] = []
const subscribed = await fal.subscribe(app, {
  input: { text: 'subscribe', seconds: 1 },
  logs: true,
  onQueueUpdate: (update) => {
    if (update.status === 'IN_PROGRESS') lines.push(...update.logs.map(({ message }) => message))
  },
})
const streamed = await fal.subscribe(app, { input: { text: 'streamed status' }, mode: 'streaming' })

const { request_id: requestId } = await fal.queue.submit(app, { input: { text: 'queue' } })
let status = await fal.queue.status(app, { requestId })
while (status.status !== 'COMPLETED') status = await fal.queue.status(app, { requestId })
const queued = await fal.queue.result(app, { requestId })

const doomed = await fal.queue.submit(`${app}/slow`, { input: { seconds: 120 } })
await fal.queue.cancel(`${app}/slow`, { requestId: doomed.request_id })

const refusal = await fal.run(app, { input: { seconds: 'many' } }).catch((error: unknown) => error)

console.log(
  JSON.stringify({
    ran: ran.data,
    subscribed: subscribed.data,
    streamed: streamed.data,
    queued: queued.data,
    lines,
    requestIds: [ran.requestId, subscribed.requestId, queued.requestId].every((id) => id !== ''),
    refusal: refusal instanceof Error ? [refusal.name, (refusal as Error & { status?: number }).status] : [],
  }),
)
