/**
 * Shows what an app answered.
 *
 * @import { Media } from './media.js'
 */
import { make } from './dom.js'
import { eventsOf } from './events.js'
import { mediaOf } from './media.js'

const mostText = 200_000
const mostEvents = 1_000

/**
 * Fills `place` with the answer, as it comes.
 *
 * @param {HTMLElement} place
 * @param {Response} response
 */
export async function showResult(place, response) {
  const type = response.headers.get('content-type') ?? ''
  place.replaceChildren()
  if (type.startsWith('text/event-stream')) return showEvents(place, response)
  if (/^(image|video|audio)\//.test(type)) return showBytes(place, await response.blob())
  showText(place, await response.text())
}

/**
 * @param {HTMLElement} place
 * @param {Response} response
 */
async function showEvents(place, response) {
  for await (const { data } of eventsOf(response)) {
    if (place.childElementCount >= mostEvents) place.firstElementChild?.remove()
    const event = make('div', { className: 'event' })
    showText(event, data)
    place.append(event)
  }
}

/**
 * @param {HTMLElement} place
 * @param {Blob} bytes
 */
function showBytes(place, bytes) {
  const url = URL.createObjectURL(bytes)
  const kind = bytes.type.split('/')[0]
  place.append(elementOf({ url, kind: kind === 'image' || kind === 'video' || kind === 'audio' ? kind : 'file' }))
}

/**
 * @param {HTMLElement} place
 * @param {string} text
 */
function showText(place, text) {
  const value = parsed(text)
  const media = mediaOf(value)
  if (media.length > 0) place.append(make('div', { className: 'media' }, media.map(elementOf)))
  const words = typeof value === 'string' ? value : JSON.stringify(value, shortened, 2)
  const shown =
    words.length > mostText ? `${words.slice(0, mostText)}\n… ${words.length - mostText} more characters` : words
  place.append(make('pre', {}, [shown]))
}

/**
 * Files that stand in a result as text are shown above it.
 *
 * @param {string} _name
 * @param {unknown} value
 */
function shortened(_name, value) {
  if (typeof value !== 'string' || !value.startsWith('data:') || value.length < 200) return value
  return `${value.slice(0, 80)}… (${value.length} characters)`
}

/**
 * @param {Media} media
 * @returns {HTMLElement}
 */
function elementOf({ url, kind }) {
  const link = make('a', { href: url, target: '_blank', rel: 'noopener noreferrer' })
  const name = url.startsWith('data:') || url.startsWith('blob:') ? kind : url
  switch (kind) {
    case 'image':
      link.append(make('img', { src: url, alt: name, loading: 'lazy' }))
      return link
    case 'video':
      return make('video', { src: url, controls: true })
    case 'audio':
      return make('audio', { src: url, controls: true })
    default:
      link.append(name)
      return link
  }
}

/**
 * @param {string} text
 * @returns {unknown}
 */
function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
