import type { WebSocket } from 'ws'
import type { RequestId } from '../../domain/ids.ts'
import type { HeaderPairs } from '../../domain/request.ts'

/**
 * The answer to one call of a session, in the messages that `fal.apps.ws` reads. Pieces of the body are binary, whatever
 * they hold: clients take a text with `type` and `request_id` in it for a message of ours.
 */
export class SessionAnswer {
  readonly requestId: RequestId
  readonly #socket: WebSocket
  readonly #since = performance.now()
  #status: number | undefined
  #firstByteMs: number | undefined

  constructor(socket: WebSocket, requestId: RequestId) {
    this.#socket = socket
    this.requestId = requestId
  }

  get status(): number | undefined {
    return this.#status
  }

  get hasBegun(): boolean {
    return this.#status !== undefined
  }

  begin(status: number, headers: HeaderPairs): void {
    this.#status = status
    this.#tell({ type: 'start', request_id: this.requestId, status, headers: joined(headers) })
  }

  /** Resolves when it is on its way. Rejects when the caller has left. */
  async piece(bytes: Uint8Array): Promise<void> {
    this.#firstByteMs ??= performance.now() - this.#since
    await new Promise<void>((resolve, reject) => {
      this.#socket.send(bytes, { binary: true }, (error) => (error ? reject(error) : resolve()))
    })
  }

  end(): void {
    const firstByteMs = this.#firstByteMs ?? performance.now() - this.#since
    const seconds = Math.round(firstByteMs) / 1_000
    this.#tell({
      type: 'end',
      request_id: this.requestId,
      status: this.#status,
      time_to_first_byte_seconds: seconds,
    })
  }

  #tell(message: object): void {
    this.#socket.send(JSON.stringify(message), () => {}) // somebody who has left is told nothing
  }
}

/** Repeated headers in one, as HTTP lets them be read. */
function joined(headers: HeaderPairs): Record<string, string> {
  const byName = new Map<string, string>()
  for (const [name, value] of headers) {
    const before = byName.get(name)
    byName.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(byName)
}
