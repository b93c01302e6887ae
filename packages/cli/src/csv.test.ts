import { expect, test } from 'vitest'
import { csv } from './csv.ts'

test('rows end as the standard wants, and what could be misread is quoted', () => {
  expect(
    csv([
      ['a', '1.5'],
      ['b,c', ''],
    ]),
  ).toBe('a,1.5\r\n"b,c",\r\n')
  expect(csv([['say "hi"', 'two\nlines']])).toBe('"say ""hi""","two\nlines"\r\n')
})

test('a spreadsheet finds no formula', () => {
  expect(csv([['=1+1', '@a', '+b', '-c', '-1.5']])).toBe("'=1+1,'@a,'+b,'-c,-1.5\r\n")
})
