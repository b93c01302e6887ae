import { lineCutter } from '../lines.ts'
import type { EngineBuild } from './engine-build.ts'
import { stepName } from './trace.ts'

/** Of a failing step, so many of its last lines are told again with the failure. */
const keptLines = 60

/** What Buildah says of its own affairs, and of what we added. */
const ownAffairs =
  /^(?:--> [0-9a-f]+|[0-9a-f]{64}|(?:\[\d+\/\d+\] )?COMMIT.*|Successfully (?:tagged|built) .*|time="[^"]*" level=.*|Getting image source signatures|Copying (?:blob|config) .*|Writing manifest.*|Storing signatures|(?:\[\d+\/\d+\] )?STEP \d+\/\d+: LABEL "carrick\..*)$/

/** Makes lines for people of what Buildah says: its steps, named as BuildKit names them, and what each of them says. */
export class BuildahTrace {
  readonly #onLine: (line: string) => void
  readonly #nameOf: (name: string) => string
  readonly #cutter = lineCutter((line) => this.#take(line))
  /** Each label that we add is a step of the last stage. */
  readonly #added: number
  readonly #pulled = new Set<string>()
  #stage = ''
  #step: { readonly name: string; readonly lines: string[] } | undefined

  constructor({ onLine, nameOf = stepName, labels }: Pick<EngineBuild, 'onLine' | 'nameOf' | 'labels'>) {
    this.#onLine = onLine
    this.#nameOf = nameOf
    this.#added = Object.keys(labels).length
  }

  /** The last lines of the step that is under way. */
  get failure(): { readonly step: string; readonly lines: readonly string[] } | undefined {
    return this.#step === undefined ? undefined : { step: this.#step.name, lines: this.#step.lines }
  }

  /** The images that it fetched, by the names that it gave them. */
  get pulled(): ReadonlySet<string> {
    return this.#pulled
  }

  /** What its own words begin with is not the end of a line that a command left open. */
  take(text: string): void {
    if (/^(?:(?:\[\d+\/\d+\] )?(?:STEP |COMMIT)|--> )/.test(text)) this.#cutter.end()
    this.#cutter.take(text)
  }

  end(): void {
    this.#cutter.end()
  }

  #take(line: string): void {
    if (ownAffairs.test(line)) return
    const [, stage, stages, step, steps, instruction] =
      /^(?:\[(\d+)\/(\d+)\] )?STEP (\d+)\/(\d+): (.*)$/s.exec(line) ?? []
    if (instruction !== undefined) {
      const own = Number(steps) - (stage === stages ? this.#added : 0)
      return this.#begin(`${step}/${own}`, instruction, stage)
    }
    if (line.startsWith('--> Using cache ')) return this.#onLine('(unchanged)')
    const [, pulled] = /^Trying to pull (\S+?)(?:\.\.\.)?$/.exec(line) ?? []
    if (pulled !== undefined) this.#pulled.add(pulled)
    if (this.#step !== undefined && this.#step.lines.push(line) > keptLines) this.#step.lines.shift()
    this.#onLine(line)
  }

  #begin(place: string, instruction: string, stage: string | undefined): void {
    if (place.startsWith('1/')) {
      const [, own] = /^FROM\s.*\sAS\s+(\S+)\s*$/i.exec(instruction) ?? []
      this.#stage = own ?? (stage === undefined ? '' : `stage-${Number(stage) - 1}`)
    }
    const where = this.#stage === '' ? place : `${this.#stage} ${place}`
    this.#step = { name: this.#nameOf(`[${where}] ${instruction}`), lines: [] }
    this.#onLine(this.#step.name)
  }
}
