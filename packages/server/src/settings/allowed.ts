import { z } from 'zod'
import { settings, type SettingName } from '../config.ts'

/** What the schema says about a setting besides its words. */
interface Described {
  readonly description?: string
  readonly type?: string
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly format?: string
  readonly default?: unknown
  readonly list?: boolean
  readonly secret?: boolean
  readonly table?: boolean
  /** What is not seen from the rest. */
  readonly allowed?: string
}

const { properties = {} } = z.toJSONSchema(settings, { io: 'output', unrepresentable: 'any' })

export const settingNames = Object.keys(settings.shape) as readonly SettingName[]

export const isSetting = (name: string): name is SettingName => Object.hasOwn(settings.shape, name)

export function described(name: SettingName): Described {
  return (properties[name] ?? {}) as Described
}

/** What may be said for a setting, as words that fit after "give". */
export function allowedFor(name: SettingName): string {
  const setting = described(name)
  if (setting.allowed !== undefined) return setting.allowed
  if (setting.enum !== undefined) return setting.enum.join(' or ')
  if (setting.type === 'integer') return wholeNumber(setting)
  if (setting.type === 'number') return `a number from ${setting.minimum} to ${setting.maximum}`
  if (setting.list === true) return 'texts, separated by commas'
  return setting.format === 'uri' ? 'an https URL' : 'a text'
}

function wholeNumber({ minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER }: Described): string {
  return maximum === Number.MAX_SAFE_INTEGER
    ? `a whole number, ${minimum} or more`
    : `a whole number from ${minimum} to ${maximum}`
}
