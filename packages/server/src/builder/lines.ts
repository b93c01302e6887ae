import { stripVTControlCharacters } from 'node:util'

const longest = 16_384

/** Cuts a program's output into lines: without colours, without empty lines, and never longer than a bound. */
export function lineCutter(onLine: (line: string) => void): { take(text: string): void; end(): void } {
  let rest = ''
  const tell = (raw: string) => {
    const line = stripVTControlCharacters(raw).trimEnd()
    if (line !== '') onLine(line)
  }
  return {
    take(text) {
      const lines = (rest + text).split(/[\r\n]+/)
      rest = lines.pop() ?? ''
      for (const line of lines) tell(line.slice(0, longest))
      for (; rest.length > longest; rest = rest.slice(longest)) tell(rest.slice(0, longest))
    },
    end() {
      tell(rest)
      rest = ''
    },
  }
}
