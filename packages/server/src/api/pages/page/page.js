/**
 * The page of an app: asks what this key may know of it, offers a form for each endpoint, and follows its log. All that
 * comes from an app or its author is shown as text.
 *
 * @import { AppCard } from '../app-card.js'
 */
import { credentials } from './calls.js'
import { addLines, byId, make } from './dom.js'
import { eventsOf } from './events.js'
import { endpointsOf } from './schema.js'
import { offer } from './trial.js'

const keyField = /** @type {HTMLInputElement} */ (byId('key'))
const { app = '', path = '' } = byId('app').dataset
/** Of this tab alone, and gone with it. */
const kept = 'carrick-key'
const key = () => sessionStorage.getItem(kept) ?? ''
let following = new AbortController()

/** Shows everything anew, as the key that is kept now allows. */
async function show() {
  following.abort()
  following = new AbortController()
  const { signal } = following
  const answer = await fetch(`/dashboard/data/${app}`, { headers: credentials(key()), signal })
  for (const id of ['log', 'log-state']) byId(id).replaceChildren()
  for (const id of ['about', 'call']) byId(id).hidden = !answer.ok
  byId('forget').hidden = key() === ''
  byId('key-state').textContent = answer.ok ? '' : await refusalOf(answer)
  if (!answer.ok) return
  const card = /** @type {AppCard} */ (await answer.json())
  showFacts(card)
  showEndpoints(card)
  if (location.hash === '#logs') byId('logs').scrollIntoView()
  byId('log-state').textContent = await follow(signal)
}

/** @param {Response} answer */
async function refusalOf(answer) {
  if (key() === '') return 'Nothing of this app is open to everyone. Type a key to see what it may see.'
  const { detail = answer.statusText } = await answer.json().catch(() => ({}))
  return String(detail)
}

/** @param {AppCard} card */
function showFacts({ auth_mode: mode, about, owned }) {
  /** @type {[string, string | undefined][]} */
  const facts = [
    ['Who may call it', { private: 'its owner', shared: 'everybody with a key', public: 'everybody' }[mode]],
    ['State', owned?.state],
    ['Revision', owned?.revision],
    ['Deployed', owned && new Date(owned.deployed_at).toLocaleString()],
    ['Environment', owned?.environment],
    ['Waiting requests', owned && String(owned.queued)],
    ['Message', owned?.message],
  ]
  for (const [name, value] of Object.entries(owned?.annotations ?? {}))
    facts.push([name, typeof value === 'string' ? value : JSON.stringify(value)])
  const rows = facts.flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [make('dt', {}, [name]), make('dd', {}, [value])],
  )
  byId('facts').replaceChildren(...rows)
  byId('description').textContent = about ?? ''
}

/** @param {AppCard} card */
function showEndpoints({ openapi }) {
  const endpoints = endpointsOf(openapi)
  const chosen = endpoints.find((endpoint) => endpoint.path === path) ?? endpoints[0]
  const links = endpoints.map((endpoint) => {
    const link = make('a', { href: `/dashboard/apps/${app}${endpoint.path}` }, [endpoint.path])
    if (endpoint === chosen) link.setAttribute('aria-current', 'page')
    return make('li', {}, [link])
  })
  byId('endpoints').replaceChildren(...links)
  const unknown = { path: path || '/', method: 'POST', summary: '', isRealtime: false, fields: undefined }
  offer({ app, endpoint: chosen ?? unknown, key })
}

/**
 * Follows the app's log, and tells why it ended.
 *
 * @param {AbortSignal} signal
 */
async function follow(signal) {
  if (key() === '') return 'for keys of its owner'
  const answer = await fetch(`/dashboard/data/${app}/logs`, { headers: credentials(key()), signal })
  if (!answer.ok) return refusalOf(answer)
  byId('log-state').textContent = 'live'
  for await (const { name, data } of eventsOf(answer)) {
    if (name === 'error') return data
    addLines(byId('log'), [JSON.parse(data)])
  }
  return 'ended: load the page again to go on'
}

/** @param {unknown} error */
function failed(error) {
  if (error instanceof DOMException && error.name === 'AbortError') return
  byId('key-state').textContent = `The server cannot be reached: ${String(error)}`
}

byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault()
  sessionStorage.setItem(kept, keyField.value.trim())
  keyField.value = ''
  show().catch(failed)
})
byId('forget').addEventListener('click', () => {
  sessionStorage.removeItem(kept)
  show().catch(failed)
})
for (const button of document.querySelectorAll('button.copy')) {
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(button.parentElement?.querySelector('pre')?.textContent ?? '')
    button.textContent = 'Copied'
  })
}
show().catch(failed)
