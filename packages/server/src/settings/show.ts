import { stringify } from 'smol-toml'
import { keyOf, listOf, type SettingName } from '../config.ts'
import { described, settingNames } from './allowed.ts'
import type { Settled } from './given.ts'

/** A setting in force. A secret is shown as whether it is there. */
export interface Shown {
  readonly value: string | number | readonly string[]
  /** `default`, or where it was given. */
  readonly from: string
}

/** Every setting in force, by its key, with where it came from. */
export function shownSettings(settled: Settled): Readonly<Record<string, Shown>> {
  return Object.fromEntries(settingNames.map((name) => [keyOf(name), shown(name, settled)]))
}

/** The same as a carrick.toml that says all of it, each line with where it came from. */
export function asToml(all: Readonly<Record<string, Shown>>): string {
  const lines = Object.entries(all).map(([key, { value, from }]) => {
    // The data folder cannot be set in the file that stands in it.
    const line = `${key === 'data' ? '# ' : ''}${stringify({ [key]: value }).trim()}`
    return `${line}  # ${from}`
  })
  return lines.join('\n')
}

function shown(name: SettingName, { config, givens }: Settled): Shown {
  const from = givens[name]?.where.replace(/: [a-z_]+$/, '') ?? 'default'
  const value = config[name] ?? ''
  const { secret, list } = described(name)
  if (secret === true && value !== '') return { value: '(hidden)', from }
  return { value: list === true ? listOf(String(value)) : value, from }
}
