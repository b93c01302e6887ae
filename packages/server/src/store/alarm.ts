/** Rings once, at the earliest of the moments it was set to. Moments are milliseconds of `performance.now()`. */
export class Alarm {
  readonly #ring: () => void
  #set: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined

  constructor(ring: () => void) {
    this.#ring = ring
  }

  by(at: number): void {
    if (this.#set !== undefined && this.#set.at <= at) return
    this.clear()
    this.#set = { at, timer: setTimeout(() => this.#now(), Math.max(0, at - performance.now())) }
  }

  clear(): void {
    clearTimeout(this.#set?.timer)
    this.#set = undefined
  }

  #now(): void {
    this.#set = undefined
    this.#ring()
  }
}
