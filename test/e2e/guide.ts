import { marked, type Token, type Tokens } from 'marked'

/** What a marked block of a guide asks for. `line` is where its fence begins. */
export type Step =
  | { readonly kind: 'run'; readonly script: string; readonly ends: 'well' | 'badly' | 'until'; readonly line: number }
  | { readonly kind: 'file'; readonly path: string; readonly text: string; readonly line: number }
  | { readonly kind: 'output'; readonly lines: readonly string[]; readonly line: number }

/** A guide's marked blocks in their order, and the `carrick.toml` that its server is to have. */
export interface Guide {
  readonly steps: readonly Step[]
  readonly serverSettings: string | undefined
}

/** Reads a guide. Throws for a mark that means nothing, so that a slip of the pen does not leave a block unchecked. */
export function readGuide(markdown: string): Guide {
  const steps: Step[] = []
  let serverSettings: string | undefined
  let from = 0
  for (const { lang = '', text, raw } of codeBlocks(marked.lexer(markdown))) {
    const at = markdown.indexOf(raw.trimEnd().split('\n', 1)[0] ?? '', from)
    from = Math.max(from, at) + 3
    const line = markdown.slice(0, from).split('\n').length
    const [, ...marks] = lang.split(/\s+/)
    if (marks.length === 0) continue
    if (marks.join(' ') === 'server') serverSettings = text
    else steps.push(step(marks, text, line))
  }
  return { steps, serverSettings }
}

/** Fenced blocks in their order, those in lists and quotations too. */
function codeBlocks(tokens: readonly Token[]): Tokens.Code[] {
  const found: Tokens.Code[] = []
  void marked.walkTokens([...tokens], (token) => {
    if (token.type === 'code') found.push(token as Tokens.Code)
  })
  return found
}

function step(marks: readonly string[], text: string, line: number): Step {
  const mark = marks.join(' ')
  const path = /^file=(\S+)$/.exec(mark)?.[1]
  if (path !== undefined) return { kind: 'file', path, text, line }
  if (mark === 'output') return { kind: 'output', lines: text.split('\n').filter((each) => each.trim() !== ''), line }
  const ends = { run: 'well', 'run fails': 'badly', 'run until': 'until' }[mark] as
    | 'well'
    | 'badly'
    | 'until'
    | undefined
  if (ends !== undefined) return { kind: 'run', script: text, ends, line }
  throw new Error(`line ${line}: a block is marked "${mark}", and the marks are: ${known}`)
}

const known = '`run`, `run fails`, `run until`, `file=PATH`, `output`, `server`'

/** The lines of an output block that what was printed does not have. Spaces and rules may be of any length. */
export function missingLines(expected: readonly string[], printed: string): string[] {
  const all = plain(printed)
  return expected.filter((line) => !pattern(plain(line.trim())).test(all))
}

function pattern(line: string): RegExp {
  return new RegExp(line.split('…').map(escaped).join('.*'))
}

const escaped = (text: string) => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)
const colours = new RegExp(String.raw`\u001b\[[\d;]*m`, 'g')
const plain = (text: string) =>
  text
    .replaceAll(colours, '')
    .replaceAll(/[^\S\n]+/g, ' ')
    .replaceAll(/([─━])\1+/g, '$1')
