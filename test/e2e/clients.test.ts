import * as javascript from '@fal-ai/client'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { clients, root } from './carrick.ts'

interface Row {
  readonly name: string
  readonly options: readonly string[]
  /** Files of `test/e2e`. */
  readonly files: readonly string[]
}

const page = await readFile(join(root, 'docs/reference/clients.md'), 'utf8')
const [, python = '', module = ''] = page.split(/^## /m)

/** `docs/reference/clients.md` is what the official clients themselves have. */
describe('the page of the official clients', () => {
  test('has every name of fal_client, with all that may be left out', async () => {
    const program = join(await clients(), 'bin', 'python')
    const { stdout } = await promisify(execFile)(program, [join(root, 'test/e2e/walk_fal_client.py')])
    expect(asObject(rowsIn(python))).toEqual(JSON.parse(stdout))
  })

  test('has every name of @fal-ai/client', () => {
    const members = Object.entries(javascript.fal).flatMap(([name, value]) =>
      typeof value === 'object' ? Object.keys(value).map((member) => `fal.${name}.${member}`) : [`fal.${name}`],
    )
    const exported = Object.keys(javascript).filter((name) => !['fal', 'default', 'module.exports'].includes(name))
    const written = rowsIn(module).map(({ name }) => name)
    expect(written.filter((name) => !aType.test(name)).toSorted()).toEqual([...members, ...exported].toSorted())
  })

  test.each(
    rowsIn(module)
      .filter(({ name }) => aType.test(name))
      .map((row) => [row.name, row] as const),
  )('has every field of %s', async (name, { options }) => {
    expect(options).toEqual(await fieldsOf(name))
  })

  const rows = [...rowsIn(python), ...rowsIn(module)]
  test.each(rows.map((row) => [row.name, row] as const))('says truly where %s is tested', async (name, row) => {
    expect(row.files).not.toEqual([])
    const present = row.files.filter((file) => existsSync(join(root, 'test/e2e', file)))
    expect(row.files.filter((file) => !present.includes(file) && !elsewhere.has(file))).toEqual([])
    const text = (await Promise.all(present.map((file) => readFile(join(root, 'test/e2e', file), 'utf8')))).join('\n')
    if (row.files.every((file) => elsewhere.has(file))) return
    const names = aType.test(name) ? row.options : [name.split('.').at(-1) ?? '', ...row.options]
    const missing = names.filter((one) => !new RegExp(String.raw`\b${one}\b`).test(text))
    if (!row.files.some((file) => elsewhere.has(file))) expect(missing).toEqual([])
    else for (const one of missing) expect(['webhook_url', 'webhookUrl', 'tokenProvider', 'url']).toContain(one)
  })
})

/** They speak for themselves. */
const elsewhere: ReadonlySet<string> = new Set(['sockets.test.ts', 'webhooks.test.ts', 'clients/live.ts'])

/** In the table of the JavaScript client: options, which have no name of their own at run time. */
const aType = /(Options|Config|Settings|Handler|Rule|ACL)$/

const asObject = (rows: readonly Row[]) => Object.fromEntries(rows.map(({ name, options }) => [name, options]))

function rowsIn(text: string): readonly Row[] {
  return Array.from(
    text.matchAll(/^\| `([^`]+)`\s*\|([^|]*)\|([^|]*)\|$/gm),
    ([, name = '', options = '', where = '']) => ({
      name,
      options: namesIn(options),
      files: namesIn(where),
    }),
  )
}

function namesIn(cell: string): string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name)
}

const folder = dirname(createRequire(import.meta.url).resolve('@fal-ai/client'))
const declarations: Promise<string> = Promise.all(
  ['config', 'middleware', 'queue', 'realtime', 'retry', 'storage', 'streaming', 'types/common'].map((file) =>
    readFile(join(folder, `${file}.d.ts`), 'utf8'),
  ),
).then((texts) => texts.join('\n'))

/** The fields of a type, as its declaration lists them, in all of its parts. */
async function fieldsOf(type: string): Promise<string[]> {
  const text = (await declarations).replaceAll(/\/\*[\s\S]*?\*\//g, '')
  const [, body = ''] =
    new RegExp(String.raw`(?:type|interface) ${type}\b[^{;]*(\{[\s\S]*?\n\}(?: \| \{[\s\S]*?\n\})*)`).exec(text) ?? []
  const fields = Array.from(body.matchAll(/^ {4}(?:readonly )?(\w+)\??[:(]/gm), ([, field = '']) => field)
  return [...new Set(fields)]
}
