import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type Docker from 'dockerode'
import { z } from 'zod'
import { wordsOf } from '../../backends/docker/engine/engine.ts'
import { dial, streamOf } from './engine-calls.ts'
import { openSession, type Confidences } from './session.ts'
import { Trace } from './trace.ts'

export interface EngineBuild extends Confidences {
  /** The build's context as a tar, the Dockerfile in it. Read as fast as the engine takes it. */
  readonly context: Readable
  /** Its path in the context. */
  readonly dockerfile: string
  readonly buildArgs: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** The name that the image gets. */
  readonly tag: string
  /** Every step anew, and all caches empty. */
  readonly noCache: boolean
  /**
   * In seconds: of all that Buildah puts into a layer, where layers must not differ by when they were made. BuildKit leaves files as they are.
   */
  readonly timestamp?: number
  readonly nameOf?: (name: string) => string
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

/** Why the engine did not build: its own words, and the last ones of the step that failed. */
export class EngineBuildError extends Error {
  override readonly name = 'EngineBuildError'
  readonly step: string | undefined
  readonly lastLines: readonly string[]

  constructor(message: string, failure?: Trace['failure']) {
    super(message)
    this.step = failure?.step
    this.lastLines = failure?.lines ?? []
  }
}

/**
 * Builds with the engine's BuildKit and answers the image's id. Rejects with `EngineBuildError`, or with the signal's
 * reason after the engine has been told to stop; then nothing of the build goes on running.
 */
export async function buildWithEngine(engine: Docker, build: EngineBuild): Promise<string> {
  const { context, signal } = build
  signal.throwIfAborted()
  const buildId = randomUUID()
  using session = await openSession(engine, build).catch((error: unknown) => {
    throw new EngineBuildError(`the engine opens no session for BuildKit: ${wordsOf(error)}`)
  })
  const cancel = () => {
    session[Symbol.dispose]()
    dial(engine, { path: `/build/cancel?id=${buildId}&`, method: 'POST', statusCodes: { 200: true } }).catch(() => {})
  }
  signal.addEventListener('abort', cancel, { once: true })
  try {
    const answer = await streamOf(engine, {
      path: '/build?',
      method: 'POST',
      file: context,
      options: { _query: queryOf(build, session.id, buildId), _body: {} },
    })
    return await readAnswer(answer, build)
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof EngineBuildError ? error : new EngineBuildError(wordsOf(error))
  } finally {
    signal.removeEventListener('abort', cancel)
    context.destroy()
  }
}

function queryOf(build: EngineBuild, session: string, buildId: string) {
  return {
    version: '2',
    session,
    buildid: buildId,
    dockerfile: build.dockerfile,
    t: build.tag,
    buildargs: JSON.stringify(build.buildArgs),
    labels: JSON.stringify(build.labels),
    ...(build.noCache ? { nocache: '1' } : {}),
  }
}

const Event = z.object({
  id: z.string().optional(),
  aux: z.union([z.string(), z.looseObject({ ID: z.string().optional() })]).optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
  stream: z.string().optional(),
})

/** JSON, an event in each line. */
async function readAnswer(answer: Readable, { onLine, nameOf }: EngineBuild): Promise<string> {
  const trace = new Trace(onLine, nameOf)
  let image: string | undefined
  for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
    if (line.trim() === '') continue
    const { data } = Event.safeParse(JSON.parse(line))
    if (data === undefined) continue // newer engines may tell of more
    const { id, aux, error, errorDetail, stream } = data
    if (error !== undefined) throw new EngineBuildError(errorDetail?.message ?? error, trace.failure)
    if (typeof aux === 'string' && id === 'moby.buildkit.trace') trace.takeEncoded(aux)
    if (typeof aux === 'object' && aux.ID !== undefined) image = aux.ID
    if (stream !== undefined && stream.trim() !== '') onLine(stream.trimEnd()) // an engine without BuildKit's trace
  }
  if (image === undefined) throw new EngineBuildError('the engine ended the build without an image', trace.failure)
  return image
}
