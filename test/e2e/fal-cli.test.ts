import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { clients, root } from './carrick.ts'

interface Row {
  /** The command with its arguments. */
  readonly command: string
  readonly flags: readonly string[]
  /** Test files, or why there are none. */
  readonly where: string
}

const page = await readFile(join(root, 'docs/reference/fal-cli.md'), 'utf8')
const rows: readonly Row[] = Array.from(
  page.matchAll(/^\| `(fal [^`]+)`\s*\|([^|]*)\|([^|]*)\|$/gm),
  ([, command = '', flags = '', where = '']) => ({ command, flags: namesIn(flags), where }),
)
const tested = Map.groupBy(
  rows.flatMap(({ command, where }) => testsIn(where).map((file) => ({ command, file }))),
  ({ file }) => file,
)

/** `docs/reference/fal-cli.md` is what the stock command itself says that it has. */
describe('the page of the stock fal command', () => {
  test('has every command, with all its flags', async () => {
    const python = join(await clients(), 'bin', 'python')
    const { stdout } = await promisify(execFile)(python, [join(root, 'test/e2e/walk_fal.py')])
    const commands = JSON.parse(stdout) as Record<string, { arguments: string[]; flags: string[] }>
    const wanted = Object.entries(commands).map(([name, { arguments: words, flags }]) => [
      [name, ...words].join(' '),
      flags,
    ])
    expect(Object.fromEntries(rows.map(({ command, flags }) => [command, flags]))).toEqual(Object.fromEntries(wanted))
  })

  test('names a vendor’s host where it names no test', () => {
    for (const { command, where } of rows.filter((row) => testsIn(row.where).length === 0)) {
      expect(where, command).toMatch(/`[\w.]+\.(ai|com)`/)
    }
  })

  test.each([...tested])('says that %s runs some of them, and it does', async (file, of) => {
    const text = await readFile(join(root, 'test/e2e', file), 'utf8')
    for (const { command } of of) {
      const words = command
        .split(' ')
        .slice(1, 3)
        .filter((word) => /^[a-z-]+$/.test(word))
      for (const word of words) expect(text, command).toMatch(new RegExp(String.raw`\b${word}\b`))
    }
  })
})

function testsIn(where: string): string[] {
  return namesIn(where).filter((name) => name.endsWith('.test.ts'))
}

function namesIn(cell: string): string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name)
}
