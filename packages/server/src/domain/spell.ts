import type { Exit } from './runner.ts'

/** A time as people say it: `3.2 s`, `45 s`, `5 min 20 s`, `2 h 10 min`. */
export function spellTime(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`
  const whole = Math.round(seconds)
  if (whole < 120) return `${whole} s`
  if (whole < 7_200) return parts(Math.floor(whole / 60), 'min', whole % 60, 's')
  return parts(Math.floor(whole / 3_600), 'h', Math.floor((whole % 3_600) / 60), 'min')
}

/** `1 runner`, `2 runners`. */
export function spellCount(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** How a process ended, as the end of a sentence that says that it did; nothing where nobody knows. */
export function spellExit(exit: Exit | undefined): string {
  if (exit?.signal) return ` by ${exit.signal}`
  return exit?.code === undefined || exit.code === null ? '' : ` with exit code ${exit.code}`
}

/** `a`, `a and b`, `a, b and c`. */
export function spellList(words: readonly string[]): string {
  const last = words.at(-1) ?? ''
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`
}

function parts(large: number, unit: string, small: number, lesser: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${lesser}`
}
