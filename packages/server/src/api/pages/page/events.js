/**
 * The events of an answer, as they come: what each one's `data` holds. An answer that is no stream of events has none.
 * `EventSource` cannot send a key, so the text is read here.
 *
 * @param {Response} response
 * @returns {AsyncGenerator<{ name: string, data: string }>}
 */
export async function* eventsOf(response) {
  if (response.body === null) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const parts = (text + value).split(/\r?\n\r?\n/)
    text = parts.pop() ?? ''
    for (const part of parts) {
      const event = eventOf(part)
      if (event !== undefined) yield event
    }
  }
}

/** @param {string} part */
function eventOf(part) {
  const lines = part.split(/\r?\n/)
  const said = (/** @type {string} */ word) =>
    lines.filter((line) => line.startsWith(`${word}:`)).map((line) => line.slice(word.length + 1).replace(/^ /, ''))
  const data = said('data')
  return data.length === 0 ? undefined : { name: said('event')[0] ?? 'message', data: data.join('\n') }
}
