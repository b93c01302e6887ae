import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { clients, root } from './carrick.ts'

interface Command {
  readonly arguments: readonly string[]
  readonly flags: readonly string[]
}

/** `docs/reference/fal-cli.md` is what the stock command itself says that it has. */
let commands: Readonly<Record<string, Command>>
let rows: readonly { readonly command: string; readonly flags: readonly string[]; readonly where: string }[]

beforeAll(async () => {
  const { stdout } = await promisify(execFile)(join(await clients(), 'bin', 'python'), [
    join(root, 'test/e2e/walk_fal.py'),
  ])
  commands = JSON.parse(stdout) as typeof commands
  const page = await readFile(join(root, 'docs/reference/fal-cli.md'), 'utf8')
  rows = Array.from(
    page.matchAll(/^\| `(fal [^`]+)` +\|([^|]*)\|([^|]*)\|$/gm),
    ([, command = '', flags = '', where = '']) => ({
      command,
      flags: Array.from(flags.matchAll(/`([^`]+)`/g), ([, flag = '']) => flag),
      where,
    }),
  )
})

const testsIn = (where: string) => Array.from(where.matchAll(/`([\w-]+\.test\.ts)`/g), ([, file = '']) => file)

test('every command of the stock fal is on the page, with all its flags', () => {
  const found = Object.fromEntries(rows.map(({ command, flags }) => [command, flags]))
  const wanted = Object.entries(commands).map(([name, { arguments: words, flags }]) => [
    [name, ...words].join(' '),
    flags,
  ])
  expect(found).toEqual(Object.fromEntries(wanted))
})

test('each has an end-to-end test that runs it, or names the host that it is nailed to', async () => {
  const files = await readdir(join(root, 'test/e2e'))
  for (const { command, where } of rows) {
    const name = Object.keys(commands).find((each) => command === each || command.startsWith(`${each} `)) ?? ''
    const tests = testsIn(where)
    if (tests.length === 0) expect(where, command).toMatch(/`[\w.]+\.(ai|com)`/)
    for (const file of tests) {
      expect(files, command).toContain(file)
      const words = name.split(' ').slice(1)
      const text = await readFile(join(root, 'test/e2e', file), 'utf8')
      // `deploy` is a word of the tests' own server too.
      for (const word of words)
        expect(text, `${file} does not run \`${name}\``).toMatch(new RegExp(String.raw`\b${word}\b`))
    }
  }
})
