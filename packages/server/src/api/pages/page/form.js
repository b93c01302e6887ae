/**
 * The form of one endpoint.
 *
 * @import { Endpoint, Field } from './schema.js'
 *
 * @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Control
 * @typedef {{ input: unknown } | { complaint: string }} Filled
 */
import { make } from './dom.js'
import { readField, readJson } from './input.js'

/**
 * Builds the controls, and what reads them: the input as it will be sent, or the first complaint.
 *
 * @param {Endpoint} endpoint
 * @returns {{ rows: HTMLElement[], read: () => Filled }}
 */
export function formOf({ fields, method }) {
  if (method === 'GET') return { rows: [], read: () => ({ input: {} }) }
  if (fields === undefined) return wholeBody()
  const made = fields.map((field) => ({ field, control: controlOf(field) }))
  return { rows: made.map(rowOf), read: () => filled(made) }
}

/** @returns {{ rows: HTMLElement[], read: () => Filled }} */
function wholeBody() {
  const control = make('textarea', { id: 'field-body', name: 'body', rows: 8, value: '{}', spellcheck: false })
  const row = make('div', { className: 'field' }, [make('label', { htmlFor: control.id }, ['Input, as JSON']), control])
  return {
    rows: [row],
    read() {
      const answer = readJson(control.value)
      return 'value' in answer ? { input: answer.value } : { complaint: `The input ${answer.complaint}` }
    },
  }
}

/** @param {{ field: Field, control: Control }} made */
function rowOf({ field, control }) {
  control.id = `field-${field.name}`
  control.name = field.name
  const marks = field.isRequired ? [make('span', { className: 'required', title: 'required' }, [' *'])] : []
  const label = make('label', { htmlFor: control.id }, [field.name, ...marks])
  const kind = field.kind === 'json' ? [make('span', { className: 'hint' }, ['JSON'])] : []
  const about = field.description === '' ? [] : [make('p', { className: 'hint' }, [field.description])]
  return make('div', { className: `field ${field.kind}` }, [label, ...kind, control, ...about])
}

/**
 * @param {readonly { field: Field, control: Control }[]} made
 * @returns {Filled}
 */
function filled(made) {
  /** @type {[string, unknown][]} */
  const entries = []
  for (const { field, control } of made) {
    const isBox = control instanceof HTMLInputElement && control.type === 'checkbox'
    const answer = readField(field, isBox ? String(control.checked) : control.value)
    if (answer === undefined) continue
    if ('complaint' in answer) return { complaint: `${field.name} ${answer.complaint}` }
    entries.push([field.name, answer.value])
  }
  return { input: Object.fromEntries(entries) }
}

/**
 * @param {Field} field
 * @returns {Control}
 */
function controlOf(field) {
  const { kind, preset, min, max, isInteger } = field
  const written = preset === undefined || preset === null ? '' : textFor(preset)
  switch (kind) {
    case 'boolean':
      return make('input', { type: 'checkbox', checked: preset === true })
    case 'choice':
      return choiceOf(field)
    case 'number':
      return make('input', {
        type: 'number',
        step: isInteger ? '1' : 'any',
        value: written,
        ...(min === undefined ? {} : { min: String(min) }),
        ...(max === undefined ? {} : { max: String(max) }),
      })
    case 'long':
      return make('textarea', { rows: 3, value: written })
    case 'json': {
      const value = preset === undefined || preset === null ? '' : JSON.stringify(preset, undefined, 2)
      return make('textarea', { rows: 4, value, spellcheck: false })
    }
    default:
      return make('input', { type: 'text', value: written })
  }
}

/** @param {Field} field */
function choiceOf({ choices, preset, isRequired }) {
  const options = choices.map((choice, place) =>
    make('option', { value: String(place), selected: choice === preset }, [textFor(choice)]),
  )
  const none = isRequired ? [] : [make('option', { value: '' }, ['–'])]
  return make('select', {}, [...none, ...options])
}

const textFor = (/** @type {unknown} */ value) => (typeof value === 'string' ? value : JSON.stringify(value))
