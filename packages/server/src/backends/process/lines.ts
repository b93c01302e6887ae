import { StringDecoder } from 'node:string_decoder'

export interface Line {
  readonly text: string
  /** Of the request that wrote it, when the bootstrap said so. */
  readonly requestId?: string
}

/** Longer lines arrive in several pieces of at most this many characters. */
export const longestLine = 131_072

// The bootstrap's frame: record separator, request id (empty: belongs to none), unit separator.
// oxlint-disable-next-line no-control-regex
const frame = /^\x1e([^\x1e\x1f]{0,128})\x1f/

// A carriage return between two texts ends a line: progress bars redraw themselves with it.
const lineEnd = /\r*\n|(?<=[^\r\n])\r+(?=[^\r\n])/

/** Turns the bytes of a pipe into lines, holding back at most one unfinished line. */
export function lineReader(onLine: (line: Line) => void): { read(chunk: Buffer): void; end(): void } {
  const decoder = new StringDecoder('utf8')
  let rest = ''

  function take(text: string): void {
    rest += text
    if (rest.length <= longestLine && !text.includes('\n') && !rest.includes('\r')) return
    const lines = rest.split(lineEnd)
    rest = lines.pop() ?? ''
    if (rest.length > longestLine) {
      lines.push(rest)
      rest = ''
    }
    for (const line of lines) emit(line)
  }

  /** All pieces of a long line belong to the request of the whole. */
  function emit(ended: string): void {
    const line = ended.replace(/^\r+|\r+$/g, '')
    const found = frame.exec(line)
    const requestId = found?.[1]
    const text = found ? line.slice(found[0].length) : line
    for (let at = 0; at === 0 || at < text.length; at += longestLine) {
      onLine({ text: text.slice(at, at + longestLine), ...(requestId ? { requestId } : {}) })
    }
  }

  return {
    read: (chunk) => take(decoder.write(chunk)),
    end: () => {
      take(decoder.end())
      if (rest !== '') emit(rest)
      rest = ''
    },
  }
}
