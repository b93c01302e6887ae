import { expect, test } from 'vitest'
import { onlyWhere, sql } from './sql.ts'

const condition = sql`exists (select 1 from name where id = ${'me'})`

test('an insert of one row gets a condition behind its values, and keeps what follows', () => {
  const insert = sql`insert into thing (id, state, size)
                     values (${'a'}, 'waiting', ${1})
                         on conflict do nothing
                     returning id`
  const { text, values } = onlyWhere(insert, condition)
  expect(text.replaceAll(/\s+/g, ' ')).toBe(
    `insert into thing (id, state, size) select ?, 'waiting', ? where ${condition.text} on conflict do nothing returning id`,
  )
  expect(values).toEqual(['a', 1, 'me'])
  expect(onlyWhere(sql`insert into thing (id) values (${'a'})`, condition).values).toEqual(['a', 'me'])
})

test('one that selects its row stays as it is, and what is neither is a mistake', () => {
  const selecting = sql`insert into thing (id) select id from other where id = ${'a'}`
  expect(onlyWhere(selecting, condition)).toBe(selecting)
  expect(() => onlyWhere(sql`insert into thing default values`, condition)).toThrow(/no insert of one row/)
})
