/**
 * An element of the page's own HTML.
 *
 * @param {string} id
 */
export function byId(id) {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no element "${id}"`)
  return found
}

/**
 * A new element. What it holds is text or elements: nothing is ever read as HTML.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties]
 * @param {readonly (Node | string)[]} [children]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, children = []) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

const mostLines = 2_000

/**
 * Adds lines to a list of lines, and lets the oldest go. It stays at its end unless somebody scrolled up.
 *
 * @param {HTMLElement} log
 * @param {readonly { message: string, timestamp: string }[]} lines
 */
export function addLines(log, lines) {
  if (lines.length === 0) return
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40
  log.append(
    ...lines.map(({ message, timestamp }) =>
      make('div', {}, [make('time', {}, [timestamp.slice(11, 23)]), ` ${message.replace(/\n$/, '')}`]),
    ),
  )
  while (log.childElementCount > mostLines) log.firstElementChild?.remove()
  if (atEnd) log.scrollTop = log.scrollHeight
}
