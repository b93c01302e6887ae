/** A value of JSON as Python writes it. */
export function python(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([key, each]) => `${python(key)}: ${python(each)}`)
    return `{${entries.join(', ')}}`
  }
  return JSON.stringify(value) // a text of JSON means the same in Python
}

/** A list with each item on a line of its own, indented, unless it is short. */
export function pythonList(values: readonly string[], indent: string): string {
  const short = python(values)
  if (short.length + indent.length < 90) return short
  return `[\n${values.map((value) => `${indent}    ${python(value)},\n`).join('')}${indent}]`
}

/** What may stand between `"""` and `"""`. */
export function docstring(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
}
