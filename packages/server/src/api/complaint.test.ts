import { expect, test } from 'vitest'
import { z } from 'zod'
import { checked } from './operation.ts'

const sent = z.object({
  alias: z.string().max(3).optional(),
  name: z.string().min(1).optional(),
  limit: z.int().min(1).max(10).optional(),
  tags: z.array(z.string()).max(1).optional(),
  mode: z.enum(['private', 'public']).optional(),
  only: z.literal('x').optional(),
  check: z.object({ path: z.string().startsWith('/') }).optional(),
  own: z
    .string()
    .refine(() => false, 'must be one line')
    .optional(),
  plain: z
    .string()
    .refine(() => false, 'Nobody knows this one')
    .optional(),
})

test.each([
  [{ alias: 'four' }, 'alias may have 3 characters at most'],
  [{ name: '' }, 'name must not be empty'],
  [{ limit: 11 }, 'limit must be 10 at most'],
  [{ limit: 0 }, 'limit must be 1 or more'],
  [{ limit: 1.5 }, 'limit must be a whole number'],
  [{ limit: 'x' }, 'limit must be a number'],
  [{ tags: ['a', 'b'] }, 'tags may have 1 entries at most'],
  [{ tags: [1] }, 'tags.0 must be a string'],
  [{ mode: 'x' }, 'mode must be one of private, public'],
  [{ only: 'y' }, 'only must be "x"'],
  [{ check: { path: 'x' } }, 'check.path must begin with "/"'],
  [{ check: {} }, 'check.path must be a string'],
  [{ own: '' }, 'own must be one line'],
  [{ plain: '' }, 'plain: Nobody knows this one'],
  [[], 'must be an object'],
  [{ alias: 'four', limit: 11 }, 'alias may have 3 characters at most; limit must be 10 at most'],
])('%j is refused in words: %s', (given, words) => {
  expect(() => checked(sent, given)).toThrow(expect.objectContaining({ message: words }))
})

test('a key that is not expected is named', () => {
  expect(() => checked(z.strictObject({}), { banana: 1 })).toThrow('is not expected to have banana')
})
