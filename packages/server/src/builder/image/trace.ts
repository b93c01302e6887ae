import { fromBinary } from '@bufbuild/protobuf'
import { StatusResponseSchema } from '@carrick/protocol/gen/buildkit_status_pb.js'
import type { StatusResponse, VertexStatus } from '@carrick/protocol/gen/buildkit_status_pb.js'
import { lineCutter } from '../lines.ts'

/** A step of a build as its trace tells of it. */
interface Step {
  readonly name: string
  readonly cutter: ReturnType<typeof lineCutter>
  readonly lastLines: string[]
  announced: boolean
  ended: boolean
}

/** Of a failing step, so many of its last lines are told again with the failure. */
const keptLines = 60
/** A pull tells of itself at these parts of a hundred. */
const everyPercent = 25
/** What is smaller is there before anybody reads of it. */
const worthTelling = 10 * 1024 * 1024

/** Hides from people what only the builder knows of a step: what it mounts, and the engine's own words for its stages. */
export function stepName(name: string): string {
  return name
    .replace(/\s--mount=\S+/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** Makes lines for people of BuildKit's trace: each step once, what it says, how far a pull is, and how it ended. */
export class Trace {
  readonly #steps = new Map<string, Step>()
  readonly #told = new Map<string, number>()
  readonly #onLine: (line: string) => void
  readonly #nameOf: (name: string) => string
  #failed: Step | undefined

  constructor(onLine: (line: string) => void, nameOf: (name: string) => string = stepName) {
    this.#onLine = onLine
    this.#nameOf = nameOf
  }

  /** The last lines of the step that failed. */
  get failure(): { readonly step: string; readonly lines: readonly string[] } | undefined {
    return this.#failed === undefined ? undefined : { step: this.#failed.name, lines: this.#failed.lastLines }
  }

  /** Takes one entry as it comes, base64 of protobuf. What it cannot read it leaves out: the build goes on all the same. */
  takeEncoded(aux: string): void {
    let entry: StatusResponse
    try {
      entry = fromBinary(StatusResponseSchema, Buffer.from(aux, 'base64'))
    } catch {
      return
    }
    this.take(entry)
  }

  take({ vertexes, logs, statuses }: Pick<StatusResponse, 'vertexes' | 'logs' | 'statuses'>): void {
    for (const vertex of vertexes) {
      const step = this.#stepOf(vertex.digest, vertex.name)
      if (vertex.started !== undefined || vertex.cached) this.#announce(step, vertex.cached)
    }
    for (const { vertex, msg } of logs) this.#steps.get(vertex)?.cutter.take(Buffer.from(msg).toString('utf8'))
    for (const status of statuses) this.#progress(status)
    for (const { digest, completed, error } of vertexes) {
      if (completed !== undefined) this.#end(this.#steps.get(digest), error)
    }
  }

  #stepOf(digest: string, name: string): Step {
    const known = this.#steps.get(digest)
    if (known !== undefined) return known
    const lastLines: string[] = []
    const cutter = lineCutter((line) => {
      if (lastLines.push(line) > keptLines) lastLines.shift()
      this.#onLine(line)
    })
    const step = { name: this.#nameOf(name), cutter, lastLines, announced: false, ended: false }
    this.#steps.set(digest, step)
    return step
  }

  #announce(step: Step, cached: boolean): void {
    if (step.announced || step.name === '' || step.name.startsWith('[internal]')) return
    step.announced = true
    this.#onLine(cached ? `${step.name} (unchanged)` : step.name)
  }

  /** Layers of a pull have names that say nothing; what counts is how much of it is there. */
  #progress({ id, vertex, current, total }: VertexStatus): void {
    const step = this.#steps.get(vertex)
    if (step === undefined || total < worthTelling) return
    const percent = Math.floor(Number((current * 100n) / total) / everyPercent) * everyPercent
    const key = `${vertex} ${id}`
    if (percent <= (this.#told.get(key) ?? 0)) return
    this.#told.set(key, percent)
    this.#onLine(`${percent}% of ${Math.round(Number(total) / 1_000_000)} MB (${shortId(id)})`)
  }

  #end(step: Step | undefined, error: string): void {
    if (step === undefined || step.ended) return
    step.ended = true
    step.cutter.end()
    if (error !== '') this.#failed ??= step
  }
}

function shortId(id: string): string {
  return id.replace(/^(?:extracting |downloading )?sha256:([0-9a-f]{12})[0-9a-f]*/, '$1').slice(0, 80)
}
