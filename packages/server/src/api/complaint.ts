import type { z } from 'zod'

/** What is wrong with one part of what was sent, as a sentence for the person who sent it: the part, then what it must be. */
export function complaint(issue: z.core.$ZodIssue): string {
  const part = issue.path.map(String).join('.')
  const words = wordsOf(issue)
  if (part === '') return words
  return words.startsWith('must ') || words.startsWith('may ') || words.startsWith('is ')
    ? `${part} ${words}`
    : `${part}: ${words}`
}

/** Without the part. What a schema says in its own words stays as it is. */
function wordsOf(issue: z.core.$ZodIssue): string {
  if (!zodsWords.test(issue.message)) return issue.message
  if (issue.code === 'too_big') return limit(issue.origin, Number(issue.maximum), 'at most')
  if (issue.code === 'too_small') return limit(issue.origin, Number(issue.minimum), 'or more')
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}`
  if (issue.code === 'invalid_value') return `must be ${oneOf(issue.values.map(String))}`
  if (issue.code === 'unrecognized_keys') return `is not expected to have ${issue.keys.join(', ')}`
  if (issue.code === 'invalid_format' && issue.format === 'datetime')
    return 'must be a moment such as 2026-11-25T10:00:00Z'
  if (issue.code === 'invalid_format' && 'prefix' in issue) return `must begin with "${String(issue.prefix)}"`
  return issue.message
}

const zodsWords = /^(Invalid|Too (big|small)|Unrecognized)/

function limit(origin: string, amount: number, bound: 'at most' | 'or more'): string {
  const things = origin === 'string' ? 'characters' : 'entries'
  if (origin !== 'string' && origin !== 'array') return `must be ${amount} ${bound}`
  if (bound === 'or more' && amount === 1) return 'must not be empty'
  return bound === 'at most' ? `may have ${amount} ${things} at most` : `must have ${amount} ${things} or more`
}

function article(expected: string): string {
  const named = { int: 'whole number', record: 'object', undefined: 'absent' }[expected] ?? expected
  if (named === 'absent') return named
  return /^[aeiou]/.test(named) ? `an ${named}` : `a ${named}`
}

const oneOf = (values: readonly string[]): string =>
  values.length === 1 ? `"${values[0]}"` : `one of ${values.join(', ')}`
