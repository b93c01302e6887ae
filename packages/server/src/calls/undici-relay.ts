import { OutgoingMessage } from 'node:http'
import { Readable, type Writable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { HeaderPairs } from '../domain/request.ts'
import type { Address } from '../domain/runner.ts'
import type { BeginAnswer, Call, Failure, RelayLimits, Relayed } from './call.ts'
import { fitsOnePiece, flat } from './headers.ts'
import { TurnWriter } from './turn-writer.ts'
import { failureBeforeAnswer, longestTimer, messageOf, originOf } from './undici-failures.ts'

/**
 * An exchange whose answer goes where the caller reads it, with no stream in between: undici's parser writes, a reader
 * that is slow makes it pause, and one that goes away ends the exchange.
 */
export function relay(
  dispatcher: Dispatcher,
  address: Address,
  { method, path, headers, body }: Call,
  { limits, begin }: { readonly limits: RelayLimits; readonly begin: BeginAnswer },
): Promise<Relayed> {
  return new Promise((resolve) => {
    const handler = new RelayHandler(limits, begin, (relayed) => {
      // What was not sent any more is nobody else's to close.
      if (body instanceof Readable && isBroken(relayed)) body.destroy()
      resolve(relayed)
    })
    const request = { origin: originOf(address), method, path, headers: flat(headers), body }
    try {
      dispatcher.dispatch(request, handler)
    } catch (error) {
      handler.fail(failureBeforeAnswer(error))
    }
  })
}

const isBroken = (relayed: Relayed) => relayed.kind !== 'answered' || relayed.end.kind !== 'complete'

/** With so few under way answers seldom come together, and a reader need not wait for what is done besides in a turn. */
const few = 4
let underWay = 0

class RelayHandler implements Dispatcher.DispatchHandler {
  readonly #begin: BeginAnswer
  readonly #resolve: (relayed: Relayed) => void
  readonly #timer: NodeJS.Timeout
  readonly #signal: AbortSignal | undefined
  #controller: Dispatcher.DispatchController | undefined
  #answer: { readonly status: number; readonly headers: HeaderPairs } | undefined
  #out: Writable | undefined
  #writer: Pick<Writable, 'write' | 'end'> | undefined
  #over = false

  constructor(
    { requestTimeoutMs: afterMs, signal }: RelayLimits,
    begin: BeginAnswer,
    resolve: (relayed: Relayed) => void,
  ) {
    underWay += 1
    this.#begin = begin
    this.#resolve = resolve
    this.#timer = setTimeout(() => this.#strike({ kind: 'timed_out', afterMs }), Math.min(afterMs, longestTimer))
    this.#signal = signal
    signal?.addEventListener('abort', this.#left, { once: true })
    if (signal?.aborted === true) this.#left()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#over) controller.abort(new Error('it is over'))
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200 || this.#over) return
    const headers = pairsOf(controller.rawHeaders)
    const out = this.#begin(status, headers) // what it throws comes back as the exchange's error, before any answer
    this.#answer = { status, headers }
    if (out === undefined) return this.#left()
    this.#out = out
    this.#writer = this.#writerTo(out, headers)
    out.on('close', this.#left)
  }

  #writerTo(out: Writable, headers: HeaderPairs): Pick<Writable, 'write' | 'end'> {
    const isOneOfMany = underWay > few && out instanceof OutgoingMessage && fitsOnePiece(headers)
    return isOneOfMany ? new TurnWriter(out) : out
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#writer?.write(chunk) !== false) return
    controller.pause()
    this.#out?.once('drain', () => controller.resume())
  }

  onResponseEnd(): void {
    this.#writer?.end()
    this.#end({ kind: 'complete' })
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.fail(this.#answer ? { kind: 'incomplete', message: messageOf(error) } : failureBeforeAnswer(error))
  }

  /** The first failure counts; a caller that has part of the answer loses its connection, so that it cannot take it for whole. */
  fail(failure: Failure): void {
    this.#end(failure)
    this.#out?.destroy()
  }

  /** Nobody wants it any longer. After the end this says nothing. */
  readonly #left = () => this.#strike({ kind: 'aborted' })

  #strike(failure: Failure): void {
    if (this.#over) return
    this.fail(failure)
    this.#controller?.abort(new Error(failure.kind))
  }

  #end(end: { readonly kind: 'complete' } | Failure): void {
    if (this.#over) return
    this.#over = true
    underWay -= 1
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#left)
    if (this.#answer) this.#resolve({ kind: 'answered', ...this.#answer, end })
    else this.#resolve(end.kind === 'complete' ? { kind: 'incomplete', message: 'it ended without an answer' } : end)
  }
}

/** A flat list of names and values, as they came. Latin-1, so that every byte goes on as it is. */
function pairsOf(raw: Dispatcher.DispatchController['rawHeaders']): HeaderPairs {
  if (!Array.isArray(raw)) return []
  const pairs: (readonly [string, string])[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([text(raw[at]!).toLowerCase(), text(raw[at + 1]!)])
  return pairs
}

const text = (value: Buffer | string): string => (typeof value === 'string' ? value : value.toString('latin1'))
