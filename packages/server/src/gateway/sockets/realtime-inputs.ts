import type { WebSocket } from 'ws'

/**
 * What a caller sends on its way to the app. Where the app is slower, the caller has to wait; with `buffering`, the
 * newest so many wait and older ones are dropped.
 */
export class RealtimeInputs {
  readonly #from: WebSocket
  readonly #to: WebSocket
  readonly #buffering: number | undefined
  readonly #waiting: Uint8Array[] = []
  #isSending = false

  constructor(from: WebSocket, to: WebSocket, buffering: number | undefined) {
    this.#from = from
    this.#to = to
    this.#buffering = buffering
  }

  take(message: Uint8Array): void {
    this.#waiting.push(message)
    this.#send()
    if (this.#buffering === undefined) return this.#waiting.length > 0 ? this.#from.pause() : undefined
    this.#waiting.splice(0, this.#waiting.length - this.#buffering)
  }

  #send(): void {
    if (this.#isSending) return
    const next = this.#waiting.shift()
    if (next === undefined) return this.#from.isPaused ? this.#from.resume() : undefined
    this.#isSending = true
    this.#to.send(next, { binary: true }, () => {
      this.#isSending = false
      this.#send()
    })
  }
}
