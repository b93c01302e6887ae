/**
 * Calls an app, straight or through its queue. Addresses are of this server, whatever it calls itself.
 *
 * @import { Endpoint } from './schema.js'
 *
 * @typedef {object} Call
 * @property {string} app `owner/name`
 * @property {Endpoint} endpoint
 * @property {unknown} input
 * @property {string} key Empty for none.
 * @property {AbortSignal} signal
 *
 * @typedef {object} Watcher
 * @property {(words: string) => void} state
 * @property {(lines: readonly { message: string, timestamp: string }[]) => void} lines
 * @property {(cancel: () => Promise<unknown>) => void} cancellable
 */
import { eventsOf } from './events.js'

const mostBreaks = 5

/** After the end of a request its last lines may still be on their way: they are asked for again after so many ms each. */
const lateMs = [500, 1_000, 2_000, 4_000, 8_000]

/**
 * @param {string} key
 * @returns {Record<string, string>}
 */
export const credentials = (key) => (key === '' ? {} : { authorization: `Key ${key}` })

/**
 * Passes the call to the app and gives its answer as it comes.
 *
 * @param {Call} call
 */
export function callDirectly({ app, endpoint, input, key, signal }) {
  const { method, path } = endpoint
  const body = method === 'GET' ? {} : { body: JSON.stringify(input) }
  const headers = { 'content-type': 'application/json', ...credentials(key) }
  return fetch(`/${app}${path}`, { method, headers, signal, ...body })
}

/**
 * Puts the call into the queue, tells what becomes of it, and gives the result.
 *
 * @param {Call} call
 * @param {Watcher} watcher
 */
export async function callThroughQueue({ app, endpoint, input, key, signal }, watcher) {
  const headers = { 'content-type': 'application/json', ...credentials(key) }
  const body = JSON.stringify(input)
  const accepted = await fetch(`/queue/${app}${endpoint.path}`, { method: 'POST', headers, body, signal })
  if (!accepted.ok) return accepted
  const { request_id: id } = await accepted.json()
  const request = `/queue/${app}/requests/${encodeURIComponent(String(id))}`
  watcher.cancellable(() => fetch(`${request}/cancel`, { method: 'PUT', headers: credentials(key) }))
  const told = await completion(request, { key, signal }, watcher)
  void lateLines(request, { key, signal, told }, watcher)
  return fetch(request, { headers: credentials(key), signal })
}

/**
 * Shows what comes after the end. Without them it is not less true that the request has ended, so no failure is told.
 *
 * @param {string} request
 * @param {Pick<Call, 'key' | 'signal'> & { told: number }} asked
 * @param {Watcher} watcher
 */
async function lateLines(request, { key, signal, told }, watcher) {
  for (const ms of lateMs) {
    await new Promise((resolve) => setTimeout(resolve, ms))
    if (signal.aborted) return
    const answer = await fetch(`${request}/status?logs=1`, { headers: credentials(key), signal }).catch(() => undefined)
    const lines = answer?.ok ? ((await answer.json()).logs ?? []) : []
    if (signal.aborted) return
    watcher.lines(lines.slice(told))
    told = Math.max(told, lines.length)
  }
}

/**
 * Answers how many lines it told.
 *
 * @param {string} request
 * @param {Pick<Call, 'key' | 'signal'>} asked
 * @param {Watcher} watcher
 * @returns {Promise<number>}
 */
async function completion(request, { key, signal }, watcher) {
  let told = 0
  for (let breaks = 0; breaks < mostBreaks; breaks++) {
    const stream = await fetch(`${request}/status/stream?logs=1`, { headers: credentials(key), signal })
    if (!stream.ok) throw new Error(`Its status cannot be read: ${await stream.text()}`)
    let seen = 0
    for await (const { data } of eventsOf(stream)) {
      const status = JSON.parse(data)
      const lines = status.logs ?? []
      watcher.lines(lines.slice(Math.max(0, told - seen))) // a stream that is opened again begins with the first line
      seen += lines.length
      told = Math.max(told, seen)
      watcher.state(wordsFor(status))
      if (status.status === 'COMPLETED') return told
    }
  }
  throw new Error('The connection broke again and again. The request goes on; its result can still be asked for')
}

/** @param {{ status: string, queue_position?: number, metrics?: { inference_time?: number | null } }} status */
function wordsFor({ status, queue_position: position, metrics }) {
  if (status === 'IN_QUEUE') return `Waiting, ${position ?? 0} before it`
  if (status === 'IN_PROGRESS') return 'Running'
  const seconds = metrics?.inference_time
  return typeof seconds === 'number' ? `Completed after ${seconds.toFixed(2)} s` : 'Completed'
}
