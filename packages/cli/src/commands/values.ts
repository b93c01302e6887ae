import { InvalidArgumentError } from 'commander'

export function port(text: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return text
  throw new InvalidArgumentError('It must be a number from 0 to 65535.')
}

/** A parser that answers null would have commander say ''. */
export function bytes(text: string): number | 'default' {
  if (text === 'default') return text
  if (text === 'none') return 0
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text) ?? []
  if (amount === '') throw new InvalidArgumentError('It must be a size such as 500MB or 2TB, or `none`, or `default`.')
  return Math.floor(Number(amount) * 1_024 ** ' KMGT'.indexOf(unit.toUpperCase() || ' '))
}

/** Money, or any amount. */
export function money(text: string): number | 'none' {
  if (text === 'none') return text
  if (/^\d{1,12}(\.\d{1,6})?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be an amount such as 100 or 99.50, or `none`.')
}

export function seconds(text: string): number {
  const [, amount = '', unit = ''] = /^(\d{1,6})([smhd]?)$/.exec(text) ?? []
  const each = { s: 1, m: 60, h: 3_600, d: 86_400 }[unit || 's']
  if (amount !== '' && each !== undefined) return Number(amount) * each
  throw new InvalidArgumentError('It must be a time such as 90s, 30m or 2h.')
}

/** Idleness, or none. */
export function freezeAfter(text: string): number | 'never' | 'default' {
  if (text === 'never' || text === 'default') return text
  try {
    return seconds(text)
  } catch {
    throw new InvalidArgumentError('It must be a time such as 90s, 30m or 2h, or never, or default.')
  }
}

/** A moment, or how long ago it was, as ISO 8601. */
export function past(text: string): string {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const milliseconds = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit]
  if (amount !== undefined && milliseconds !== undefined)
    return new Date(Date.now() - Number(amount) * milliseconds).toISOString()
  const moment = new Date(text)
  if (!Number.isNaN(moment.getTime())) return moment.toISOString()
  throw new InvalidArgumentError('It must be a time such as 2026-11-25T10:00:00Z, or how long ago: 30m, 12h, 7d.')
}

export function onOrOff(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on'
  throw new InvalidArgumentError('It must be on or off.')
}

/** One more weight; null takes a key's away. */
export function weight(text: string, before: Record<string, number | null> = {}): Record<string, number | null> {
  const [, key = '', value = ''] = /^(.+)=(\d{1,3}|default)$/.exec(text) ?? []
  if (key === '') throw new InvalidArgumentError('It must be a key id or alias, =, and a whole number or `default`.')
  return { ...before, [key]: value === 'default' ? null : Number(value) }
}

/** In days. */
export function retention(text: string): number | 'default' {
  if (text === 'default') return text
  if (text === 'forever') return 0
  const [, amount = '', unit = 'd'] = /^(\d+(?:\.\d+)?)([dhms]?)$/.exec(text) ?? []
  const perDay = { d: 1, h: 24, m: 1_440, s: 86_400 }[unit || 'd']
  if (amount !== '' && perDay !== undefined) return Number(amount) / perDay
  throw new InvalidArgumentError('It must be a time such as 30d, 12h or 90s, or `forever`, or `default`.')
}
