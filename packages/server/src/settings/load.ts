import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { settings, type Config } from '../config.ts'
import { fromVariables, settle, type Givens, type Settled } from './given.ts'

export interface Sources {
  /** By the name of the setting: what was typed. */
  readonly flags?: Readonly<Record<string, string>>
  readonly variables: Readonly<Record<string, string | undefined>>
}

/**
 * Reads all settings: flags, then variables, then carrick.toml in the data folder, then defaults. Throws a sentence for
 * each thing that is wrong, with where it stands and what is allowed.
 */
export async function loadSettings({ flags = {}, variables }: Sources): Promise<Settled & { readonly file: string }> {
  const typed = fromFlags(flags)
  const named = fromVariables(variables)
  const folder = typed.CARRICK_DATA?.text ?? named.CARRICK_DATA?.text ?? settings.shape.CARRICK_DATA.parse(undefined)
  const file = join(resolve(folder), 'carrick.toml')
  return { file, ...settle({ ...(await fromFileIfThere(file)), ...named, ...typed }) }
}

/** The settings that variables and defaults make, without a file. Throws one sentence per wrong value, a line each. */
export function readConfig(variables: Sources['variables']): Config {
  return settle(fromVariables(variables)).config
}

function fromFlags(flags: Readonly<Record<string, string>>): Givens {
  const givens = fromVariables(flags)
  return Object.fromEntries(Object.entries(givens).map(([name, { text }]) => [name, { text, where: flagOf(name) }]))
}

const flagOf = (name: string): string => `--${name.replace('CARRICK_', '').toLowerCase().replaceAll('_', '-')}`

async function fromFileIfThere(file: string): Promise<Givens> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined
    throw new Error(`the settings in ${file} cannot be read: ${cause.message}`, { cause })
  })
  return text === undefined ? {} : (await import('./file.ts')).fromFile(text, file)
}
