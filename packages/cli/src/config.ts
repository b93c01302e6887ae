import { loadSettings } from '@carrick/server/settings'
import { asToml, shownSettings } from '@carrick/server/settings-show'
import { print } from './output.ts'
import { asVariables, type SettingFlags } from './setting-flags.ts'

interface Flags extends SettingFlags {
  json?: boolean
  output?: string
}

/** `carrick config check`: fails with a sentence for each thing that is wrong. */
export async function checkConfig(flags: Flags): Promise<void> {
  const { file, givens } = await load(flags)
  const given = Object.keys(givens).length
  const text = `All settings are in order: ${given} given, the others have their defaults (${file})`
  print({ text, json: { file, given } }, flags)
}

/** `carrick config show`: what is in force, secrets hidden. */
export async function showConfig(flags: Flags): Promise<void> {
  const all = shownSettings(await load(flags))
  print({ text: asToml(all), json: all }, flags)
}

function load({ json: _json, output: _output, ...typed }: Flags) {
  return loadSettings({ flags: asVariables(typed), variables: process.env })
}
