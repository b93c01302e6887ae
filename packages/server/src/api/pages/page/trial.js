/**
 * Trying an endpoint out: its form, the call, and what comes of it.
 *
 * @import { Endpoint } from './schema.js'
 * @import { Filled } from './form.js'
 *
 * @typedef {object} Offer
 * @property {string} app `owner/name`
 * @property {Endpoint} endpoint
 * @property {() => string} key Empty for none.
 */
import { callDirectly, callThroughQueue } from './calls.js'
import { addLines, byId } from './dom.js'
import { formOf } from './form.js'
import { jsonOf, pythonOf, shellOf } from './input.js'
import { showResult } from './result.js'

const way = /** @type {HTMLSelectElement} */ (byId('way'))
/** @type {(Offer & { read: () => Filled }) | undefined} */
let current
/** @type {() => unknown} */
let stop = () => {}

/** The latest call's: when the next begins, nothing more of it is shown. */
let latest = new AbortController()

/**
 * Shows the form of an endpoint in place of the one before.
 *
 * @param {Offer} offered
 */
export function offer(offered) {
  const { endpoint } = offered
  const { rows, read } = formOf(endpoint)
  current = { ...offered, read }
  byId('endpoint').textContent = `${endpoint.method} ${endpoint.path}`
  byId('summary').textContent = endpoint.isRealtime
    ? 'This endpoint speaks over a WebSocket: use a client. What is sent here is one plain request.'
    : endpoint.summary
  byId('fields').replaceChildren(...rows)
  way.value = endpoint.method === 'POST' ? 'queue' : 'direct'
  way.disabled = endpoint.method !== 'POST'
  showCode()
}

/** Writes what the form holds into the examples. A path that a terminal could take for more than a path stays out. */
function showCode() {
  if (current === undefined) return
  const filled = current.read()
  const input = 'input' in filled ? filled.input : {}
  const words = new Map([
    ['shell', shellOf(input)],
    ['python', pythonOf(input)],
    ['json', jsonOf(input)],
  ])
  for (const place of all('[data-input]')) place.textContent = words.get(place.dataset['input'] ?? '') ?? ''
  const { path } = current.endpoint
  if (/^[\w./~-]*$/.test(path)) for (const place of all('[data-endpoint]')) place.textContent = path === '/' ? '' : path
}

/** @param {unknown} input */
async function run(input) {
  if (current === undefined) return
  const { app, endpoint, key } = current
  const isQueued = way.value === 'queue'
  const leaving = new AbortController()
  latest.abort()
  latest = leaving
  stop = () => leaving.abort(new Error('Cancelled'))
  begin()
  try {
    const call = { app, endpoint, input, key: key(), signal: leaving.signal }
    const answer = await (isQueued ? callThroughQueue(call, watcher) : callDirectly(call))
    byId('state').textContent = `${isQueued ? byId('state').textContent : 'Answered'} · HTTP ${answer.status}`
    byId('outcome').className = answer.ok ? 'good' : 'bad'
    await showResult(byId('result'), answer)
  } catch (error) {
    byId('outcome').className = 'bad'
    byId('state').textContent = error instanceof Error ? error.message : String(error)
  } finally {
    setRunning(false)
  }
}

function begin() {
  byId('call-log').replaceChildren()
  byId('result').replaceChildren()
  byId('outcome').hidden = false
  byId('outcome').className = ''
  byId('state').textContent = 'Sent'
  setRunning(true)
}

/** @param {boolean} isRunning */
function setRunning(isRunning) {
  const button = /** @type {HTMLButtonElement} */ (byId('run'))
  button.disabled = isRunning
  byId('cancel').hidden = !isRunning
}

const watcher = {
  state: (/** @type {string} */ words) => void (byId('state').textContent = words),
  lines: (/** @type {Parameters<typeof addLines>[1]} */ lines) => addLines(byId('call-log'), lines),
  cancellable: (/** @type {() => unknown} */ cancel) => void (stop = cancel),
}

/** @returns {NodeListOf<HTMLElement>} */
const all = (/** @type {string} */ selector) => document.querySelectorAll(selector)

byId('form').addEventListener('input', showCode)
byId('form').addEventListener('submit', (event) => {
  event.preventDefault()
  const filled = current?.read()
  byId('complaint').textContent = filled && 'complaint' in filled ? filled.complaint : ''
  if (filled && 'input' in filled) void run(filled.input)
})
byId('cancel').addEventListener('click', () => stop())
