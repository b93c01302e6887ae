/**
 * Reads an app's OpenAPI document: its endpoints, and the fields of a form for each. The document comes from whoever
 * deployed the app, so nothing in it is taken to be what it should be.
 *
 * @typedef {object} Endpoint
 * @property {string} path
 * @property {string} method
 * @property {string} summary
 * @property {boolean} isRealtime
 * @property {readonly Field[] | undefined} fields Undefined where the document describes no JSON object to send.
 *
 * @typedef {object} Field
 * @property {string} name
 * @property {'text' | 'long' | 'number' | 'boolean' | 'choice' | 'json'} kind
 * @property {string} description
 * @property {boolean} isRequired
 * @property {boolean} isInteger
 * @property {readonly unknown[]} choices
 * @property {unknown} preset What the form starts with; undefined for nothing.
 * @property {number | undefined} min
 * @property {number | undefined} max
 *
 * @typedef {Readonly<Record<string, unknown>>} Part A part of the document.
 */

const methods = ['post', 'get', 'put', 'patch', 'delete']
const mostSteps = 16

/**
 * The endpoints in the order that the app's author gave them.
 *
 * @param {unknown} openapi
 * @returns {Endpoint[]}
 */
export function endpointsOf(openapi) {
  const document = partOf(openapi)
  const paths = partOf(document['paths'])
  const order = listOf(document['x-fal-order-paths'])
  return inOrder(Object.keys(paths), order).flatMap((path) => {
    const item = partOf(paths[path])
    const method = methods.find((name) => name in item)
    if (method === undefined || !path.startsWith('/')) return []
    const operation = partOf(item[method])
    return {
      path,
      method: method.toUpperCase(),
      summary: textOf(operation['description']) || textOf(operation['summary']),
      isRealtime: 'x-fal-protocol' in item || 'x-fal-protocol' in operation,
      fields: method === 'get' ? [] : fieldsOf(document, bodyOf(operation)),
    }
  })
}

/** @param {Part} operation */
function bodyOf(operation) {
  const content = partOf(partOf(operation['requestBody'])['content'])
  return partOf(content['application/json'])['schema']
}

/**
 * @param {Part} document
 * @param {unknown} schema
 * @returns {Field[] | undefined}
 */
function fieldsOf(document, schema) {
  const { schema: body } = plain(document, schema)
  if (body['type'] !== 'object' || !('properties' in body)) return undefined
  const properties = partOf(body['properties'])
  const required = listOf(body['required'])
  return inOrder(Object.keys(properties), listOf(body['x-fal-order-properties'])).flatMap((name) => {
    const field = fieldOf(document, name, properties[name])
    return field === undefined ? [] : { ...field, isRequired: required.includes(name) && !field.isNullable }
  })
}

/**
 * @param {Part} document
 * @param {string} name
 * @param {unknown} given
 * @returns {(Field & { isNullable: boolean }) | undefined}
 */
function fieldOf(document, name, given) {
  const { schema, isNullable } = plain(document, given)
  const outer = partOf(given)
  const ui = partOf(outer['ui'] ?? schema['ui'])
  if (ui['hidden'] === true) return undefined
  const choices = 'const' in schema ? [schema['const']] : listOf(schema['enum'])
  return {
    name,
    kind: choices.length > 0 ? 'choice' : kindOf(name, schema, ui),
    description: textOf(outer['description']) || textOf(schema['description']),
    isRequired: false,
    isInteger: schema['type'] === 'integer',
    isNullable,
    choices,
    preset: 'default' in outer ? outer['default'] : (schema['default'] ?? listOf(outer['examples'])[0]),
    min: numberOf(schema['minimum']),
    max: numberOf(schema['maximum']),
  }
}

/**
 * @param {string} name
 * @param {Part} schema
 * @param {Part} ui
 * @returns {Field['kind']}
 */
function kindOf(name, { type }, ui) {
  if (type === 'boolean') return 'boolean'
  if (type === 'number' || type === 'integer') return 'number'
  if (type !== 'string') return 'json'
  return ui['field'] === 'textarea' || /(^|_)prompt$/.test(name) ? 'long' : 'text'
}

/**
 * The schema behind references, with "or null" taken off. A document that leads in a circle leads to nothing.
 *
 * @param {Part} document
 * @param {unknown} given
 * @returns {{ schema: Part, isNullable: boolean }}
 */
function plain(document, given) {
  let schema = partOf(given)
  let isNullable = false
  for (let step = 0; step < mostSteps; step++) {
    const options = listOf(schema['anyOf'] ?? schema['oneOf'])
    const real = options.filter((option) => partOf(option)['type'] !== 'null')
    if (typeof schema['$ref'] === 'string') schema = referred(document, schema['$ref'])
    else if (listOf(schema['allOf']).length === 1) schema = partOf(listOf(schema['allOf'])[0])
    else if (real.length === 1) {
      isNullable ||= options.length > 1
      schema = partOf(real[0])
    } else return { schema, isNullable }
  }
  return { schema: {}, isNullable }
}

/**
 * @param {Part} document
 * @param {string} reference
 */
function referred(document, reference) {
  const [root, ...names] = reference.split('/')
  if (root !== '#') return {}
  return names.reduce((part, name) => {
    const key = name.replaceAll('~1', '/').replaceAll('~0', '~')
    return Object.hasOwn(part, key) ? partOf(part[key]) : {}
  }, document)
}

/**
 * @param {readonly string[]} names
 * @param {readonly unknown[]} order
 */
function inOrder(names, order) {
  const place = (/** @type {string} */ name) => (order.includes(name) ? order.indexOf(name) : order.length)
  return names.toSorted((one, other) => place(one) - place(other))
}

/** @returns {Part} */
const partOf = (/** @type {unknown} */ value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? /** @type {Part} */ (value) : {}
/** @returns {readonly unknown[]} */
const listOf = (/** @type {unknown} */ value) => (Array.isArray(value) ? value : [])
const textOf = (/** @type {unknown} */ value) => (typeof value === 'string' ? value : '')
const numberOf = (/** @type {unknown} */ value) => (typeof value === 'number' ? value : undefined)
