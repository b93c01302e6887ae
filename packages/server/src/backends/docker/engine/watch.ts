import { StringDecoder } from 'node:string_decoder'
import { setTimeout as pause } from 'node:timers/promises'
import { aborted } from '../../../kit/aborted.ts'
import type { Logger } from '../../../kit/logger.ts'
import { CarrickError } from '../../../domain/errors.ts'
import { answerMs, wordsOf, type Engine } from './engine.ts'

/** Something that the engine tells of a container. */
export interface EngineEvent {
  /** `die`, `oom`, `exec_die` … */
  readonly action: string
  /** With the container's labels. */
  readonly attributes: Readonly<Record<string, string>>
}

export interface EngineWatch {
  /** Resolves when the engine is heard, which may be now. */
  whenBack(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface WatchParts {
  readonly engine: Engine
  readonly labels: readonly string[]
  readonly log: Logger
  readonly onEvent: (event: EngineEvent) => void
  /** It is heard, again or for the first time: nothing that happens from now on is missed, what happened before may be. */
  readonly onHeard: (signal: AbortSignal) => Promise<void>
  /** Called now and then while it is not heard. */
  readonly onDeaf: () => void
}

const firstRestMs = 50
const longestRestMs = 1_000

/** Follows what the engine tells. Resolves when it is heard for the first time; takes a broken stream up again. */
export async function watchEngine(parts: WatchParts): Promise<EngineWatch> {
  const closing = new AbortController()
  let isHeard = false
  let heard = Promise.withResolvers<void>()
  const ended = follow(parts, closing.signal, (is) => {
    if (is) heard.resolve()
    else if (isHeard) heard = Promise.withResolvers() // else some wait for the one that there is
    isHeard = is
  })
  const close = async () => {
    closing.abort()
    await ended
  }
  const first = AbortSignal.timeout(answerMs)
  await Promise.race([heard.promise, aborted(first)])
  if (first.aborted) {
    await close()
    throw new CarrickError(
      'bad_request',
      `The container engine at ${parts.engine.host} does not tell what happens in it`,
    )
  }
  return { whenBack: async (signal) => Promise.race([heard.promise, aborted(signal)]), close }
}

async function follow(parts: WatchParts, signal: AbortSignal, tell: (isHeard: boolean) => void): Promise<void> {
  const { engine, log, onHeard, onDeaf } = parts
  for (let rest = firstRestMs; !signal.aborted; rest = Math.min(2 * rest, longestRestMs)) {
    const over = new AbortController()
    const until = AbortSignal.any([signal, over.signal])
    try {
      const stream = await eventsOf(parts, until)
      const read = readEvents(stream, parts.onEvent)
      await Promise.all([read, onHeard(until).then(() => (tell(true), (rest = firstRestMs)))])
      throw new Error('it says nothing more')
    } catch (error) {
      over.abort()
      tell(false)
      if (signal.aborted) return
      log.warn({ engine: engine.host }, `the container engine is not heard (${wordsOf(error)}): it is asked again`)
    }
    onDeaf()
    await pause(rest, undefined, { signal }).catch(() => {})
  }
}

function eventsOf({ engine, labels }: WatchParts, abortSignal: AbortSignal): Promise<NodeJS.ReadableStream> {
  return engine.docker.getEvents({ filters: { type: ['container'], label: [...labels] }, abortSignal })
}

/** Reads events, one in each line, until there are no more. */
async function readEvents(stream: NodeJS.ReadableStream, onEvent: (event: EngineEvent) => void): Promise<void> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') onEvent(eventOf(line))
  }
}

function eventOf(line: string): EngineEvent {
  const { Action = '', Actor } = JSON.parse(line) as {
    Action?: string
    Actor?: { Attributes?: Record<string, string> }
  }
  return { action: Action, attributes: Actor?.Attributes ?? {} }
}
