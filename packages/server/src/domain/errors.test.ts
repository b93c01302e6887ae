import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { kinds, type ErrorCode } from './errors.ts'
import { httpStatus } from './outcome.ts'

const page = new URL('../../../../docs/reference/errors.md', import.meta.url)

test('the reference page lists every code with its status, and nothing else', async () => {
  const rows = (await readFile(page, 'utf8')).matchAll(/^\| `(\w+)` \| (\d{3}) \| \S.* \|$/gm)
  const listed = Array.from(rows, ([, code, status]) => [code, Number(status)])
  const codes = Object.keys(kinds) as ErrorCode[]
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(codes.map((code) => [code, httpStatus[kinds[code]]])))
  expect(listed).toHaveLength(codes.length)
})
