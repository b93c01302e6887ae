import type { RunnerId } from '../domain/ids.ts'

/** Shorter values stand in too many innocent lines: masking "1" or "debug" would hide more than it protects. */
const longestShown = 8
const mask = '********'

/** What may not be read in the lines of a runner. */
export class Masks {
  readonly #hidden = new Map<RunnerId, readonly string[]>()

  /** From now on these values are hidden, each of their lines by itself; one inside another does not uncover it. */
  cover(id: RunnerId, values: readonly string[]): void {
    const lines = values.flatMap((value) => [value, ...value.split(/[\r\n]+/)])
    const hidden = [...new Set(lines)].filter((line) => line.length > longestShown)
    this.#hidden.set(
      id,
      hidden.toSorted((one, other) => other.length - one.length),
    )
  }

  /** Forgets what was hidden. */
  uncover(id: RunnerId): void {
    this.#hidden.delete(id)
  }

  mask(id: RunnerId, text: string): string {
    let masked = text
    for (const value of this.#hidden.get(id) ?? []) {
      if (value.length <= masked.length) masked = masked.replaceAll(value, mask)
    }
    return masked
  }
}
