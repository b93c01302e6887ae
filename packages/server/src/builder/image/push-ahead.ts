import type { PushedImage } from './push.ts'

/**
 * What an image goes on, on its way to the registry while the image is made: an engine packs layers on one core, and a base is
 * the largest of them. What fails here is no matter, for the image's own push needs all of it and says what is wrong.
 */
export class PushAhead {
  readonly #leaving = new AbortController()
  readonly #over: Promise<void>
  #isOver = false

  constructor(push: (image: PushedImage) => Promise<void>, image: Omit<PushedImage, 'onLine'>) {
    const signal = AbortSignal.any([image.signal, this.#leaving.signal])
    this.#over = push({ ...image, onLine: () => {}, signal })
      .catch(() => {})
      .finally(() => (this.#isOver = true))
  }

  /** Resolves when it is there, or is not going to be. Where it has to be waited for, that is said. */
  async over(onLine: (line: string) => void): Promise<void> {
    if (!this.#isOver) onLine('Waiting until what the image goes on is in the registry')
    await this.#over
  }

  /** Nobody needs it any more. Resolves when nothing is done for it any longer. */
  async leave(): Promise<void> {
    this.#leaving.abort()
    await this.#over
  }
}
