/**
 * What of a result can be looked at.
 *
 * @typedef {object} Media
 * @property {string} url
 * @property {'image' | 'video' | 'audio' | 'file'} kind
 */

const most = 24
const deepest = 8
/** Nothing else is ever opened: a `javascript:` address would be a program. */
const safe = /^(https?:\/\/|data:(image|video|audio)\/|blob:)/i
/** @type {readonly (readonly [RegExp, Media['kind']])[]} */
const endings = [
  [/\.(png|jpe?g|gif|webp|avif|svg)$/i, 'image'],
  [/\.(mp4|webm|mov)$/i, 'video'],
  [/\.(mp3|wav|ogg|flac|m4a)$/i, 'audio'],
]

/**
 * The first pictures, films, sounds and files of a result.
 *
 * @param {unknown} result
 * @returns {Media[]}
 */
export function mediaOf(result) {
  /** @type {Media[]} */
  const found = []
  look(result, found, 0)
  return found
}

/**
 * @param {unknown} value
 * @param {Media[]} found
 * @param {number} depth
 */
function look(value, found, depth) {
  if (found.length >= most || depth > deepest) return
  if (typeof value === 'string') {
    if (safe.test(value)) found.push({ url: value, kind: kindOf(value, '') })
    return
  }
  if (typeof value !== 'object' || value === null) return
  const { url, content_type: type } = /** @type {{ url?: unknown, content_type?: unknown }} */ (value)
  if (typeof url === 'string' && safe.test(url)) {
    found.push({ url, kind: kindOf(url, typeof type === 'string' ? type : '') })
    return
  }
  for (const each of Object.values(value)) look(each, found, depth + 1)
}

/**
 * @param {string} url
 * @param {string} type
 * @returns {Media['kind']}
 */
function kindOf(url, type) {
  const said = /^(image|video|audio)\//.exec(type)?.[1] ?? /^data:(image|video|audio)\//i.exec(url)?.[1]?.toLowerCase()
  if (said === 'image' || said === 'video' || said === 'audio') return said
  const path = URL.parse(url)?.pathname ?? ''
  return endings.find(([ending]) => ending.test(path))?.[1] ?? 'file'
}
