/** The settings that have a flag. */
export interface SettingFlags {
  port?: string
  host?: string
  data?: string
  backend?: string
  owner?: string
  name?: string[]
}

/** What was typed, by the name of the setting. */
export function asVariables({ name, ...flags }: SettingFlags): Record<string, string> {
  const all = { ...flags, name: name?.join(',') }
  return Object.fromEntries(
    Object.entries(all).flatMap(([flag, value]) =>
      value === undefined ? [] : [[`CARRICK_${flag.toUpperCase()}`, value]],
    ),
  )
}
