/**
 * What somebody typed into a form becomes what is sent, and how each language writes it.
 *
 * @import { Field } from './schema.js'
 *
 * @typedef {{ value: unknown } | { complaint: string }} Answer
 */

/**
 * What a control holds, as the app will get it; undefined when it says nothing.
 *
 * @param {Field} field
 * @param {string} typed Of a choice: its place in the list. Of a boolean: `true` or `false`.
 * @returns {Answer | undefined}
 */
export function readField(field, typed) {
  if (typed === '') return field.isRequired ? { complaint: 'must be filled in' } : undefined
  switch (field.kind) {
    case 'boolean':
      return { value: typed === 'true' }
    case 'choice':
      return { value: field.choices[Number(typed)] }
    case 'number':
      return readNumber(field, Number(typed))
    case 'json':
      return readJson(typed)
    default:
      return { value: typed }
  }
}

/**
 * @param {Field} field
 * @param {number} value
 * @returns {Answer}
 */
function readNumber({ isInteger }, value) {
  if (!Number.isFinite(value)) return { complaint: 'must be a number' }
  return isInteger && !Number.isInteger(value) ? { complaint: 'must be a whole number' } : { value }
}

/**
 * @param {string} text
 * @returns {Answer}
 */
export function readJson(text) {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return { complaint: 'must be JSON' }
  }
}

/** Several lines in one control would become several commands in a terminal that somebody pastes them into. */
const unseen = /[\u007f-\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g
const escaped = (/** @type {string} */ text) =>
  text.replaceAll(unseen, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

/**
 * JSON in which every character can be seen.
 *
 * @param {unknown} value
 */
export const jsonOf = (value) => escaped(JSON.stringify(value))

/**
 * JSON as it stands between the single quotes of a shell.
 *
 * @param {unknown} value
 */
export const shellOf = (value) => jsonOf(value).replaceAll("'", String.raw`'\''`)

/**
 * As Python writes it.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function pythonOf(value) {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(', ')}]`
  if (typeof value !== 'object') return jsonOf(value)
  const pairs = Object.entries(value).map(([name, each]) => `${jsonOf(name)}: ${pythonOf(each)}`)
  return `{${pairs.join(', ')}}`
}
