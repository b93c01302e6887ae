import { parse, TomlError } from 'smol-toml'
import { keyOf, type SettingName } from '../config.ts'
import { allowedFor, described, settingNames } from './allowed.ts'
import type { Givens } from './given.ts'

/**
 * What carrick.toml says. Throws a sentence for each key that is no setting and each value that no setting can have, with
 * the file and the line; for a text that is not TOML, what is wrong with it.
 */
export function fromFile(text: string, file: string): Givens {
  const source = { text, file }
  const read = Object.entries(tableIn(source)).map(([key, value]) => readKey(source, key, value))
  const wrong = read.filter((entry) => typeof entry === 'string')
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
  return Object.fromEntries(read.filter((entry) => typeof entry !== 'string'))
}

interface Source {
  readonly text: string
  readonly file: string
}

function tableIn({ text, file }: Source): Record<string, unknown> {
  try {
    return parse(text, { unsafeKeyBehaviour: 'throw' })
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const [what = ''] = cause.message.replace('Invalid TOML document: ', '').split('\n')
    throw new Error(`${file} line ${cause.line}, column ${cause.column}: ${what}`, { cause })
  }
}

const settingByKey = new Map<string, SettingName>(settingNames.map((name) => [keyOf(name), name]))

/** The setting and what is given for it, or the sentence that refuses it. */
function readKey(source: Source, key: string, value: unknown) {
  const where = `${source.file} line ${lineOf(source.text, key)}: ${key}`
  const name = settingByKey.get(key)
  if (name === undefined) return `${where} is not a setting${suggestion(key)}`
  if (name === 'CARRICK_DATA')
    return `${where} says where this very file is, so it cannot stand in it: use --data or CARRICK_DATA`
  const { list, table } = described(name)
  const text = textOf(value, list === true, table === true)
  return text === undefined
    ? `${where}: this kind of value is not allowed: give ${allowedFor(name)}`
    : ([name, { text, where }] as const)
}

/** A value as the variable of the same name would hold it. */
function textOf(value: unknown, isList: boolean, isTable: boolean): string | undefined {
  if (isTable && typeof value === 'object') return JSON.stringify(value)
  if (isList && Array.isArray(value)) {
    const parts = value.map((part: unknown) => (typeof part === 'string' && !part.includes(',') ? part : undefined))
    return parts.includes(undefined) ? undefined : parts.join(',')
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
}

/** Settings stand at the top of the file, one to a line. */
function lineOf(text: string, key: string): number {
  const starts = text.split('\n').map((line) => line.replaceAll(/["'\s[]/g, ''))
  const found = starts.findIndex((start) => start.startsWith(key) && /^[=\].]/.test(start.slice(key.length)))
  return found + 1
}

function suggestion(key: string): string {
  const plain = key
    .toLowerCase()
    .replaceAll('-', '_')
    .replace(/^carrick_/, '')
  return settingByKey.has(plain)
    ? `: the setting is called ${plain} here`
    : ': docs/reference/settings.md lists all there are'
}
