import type { Confinement } from './backend.ts'

/** The one sentence about what runners do not have, or not as well as they could; undefined where they have all. */
export function lacks(parts: readonly Confinement[]): string | undefined {
  const reasons = parts.flatMap(({ part, by, why }) => {
    if (by === null) return [`nothing for ${part} (${why ?? 'it cannot be had here'})`]
    return why === undefined ? [] : [`${part} by ${by} only (${why})`]
  })
  return reasons.length === 0 ? undefined : `runners are confined less than they could be: ${reasons.join('; ')}`
}
