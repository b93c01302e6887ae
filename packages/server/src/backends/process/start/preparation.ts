import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { RunnerId } from '../../../domain/ids.ts'
import type { RunnerOutline } from '../../backend.ts'
import type { Begun } from './fork-server.ts'
import { bootId, procOf, type ProcIdentity } from '../proc.ts'
import { writeRecord, type Recorded } from './record.ts'
import type { RunnerSetting } from '../setting.ts'
import { dismiss } from './spare.ts'
import { makeFolders, type RunnerPorts } from './spawn.ts'

/** What a runner's start needs and takes a while. Nothing of the runner is begun by it. */
export interface Prepared {
  readonly folder: string
  readonly ports: RunnerPorts
  /** What waits to become it; why there is none; or nothing, where runners begin without. */
  readonly begun: Begun | Error | undefined
  /** That process, once its record is written. */
  readonly main: ProcIdentity | undefined
}

/** The machine, and whose the ports are, may be other than they were by then. */
const freshMs = 1_000
const endMs = 2_000

/** What is made ready for runners of which nobody has said yet that they start. */
export class Preparations {
  readonly #setting: RunnerSetting
  readonly #made = new Map<RunnerId, { readonly since: number; readonly prepared: Promise<Prepared> }>()

  constructor(setting: RunnerSetting) {
    this.#setting = setting
  }

  begin(outline: RunnerOutline): void {
    if (this.#made.has(outline.id)) return
    const prepared = prepareRunner(outline, this.#setting)
    prepared.catch(() => {}) // whoever starts it is told
    this.#made.set(outline.id, { since: performance.now(), prepared })
  }

  /** What was made ready a moment ago, which is the caller's from now on, or else what is made now. */
  async take(outline: RunnerOutline): Promise<Prepared> {
    const made = this.#made.get(outline.id)
    if (made !== undefined && performance.now() - made.since < freshMs) {
      this.#made.delete(outline.id)
      return made.prepared
    }
    await this.drop(outline.id)
    return prepareRunner(outline, this.#setting)
  }

  /** It does not start: nothing is left of what was made ready for it. */
  async drop(id: RunnerId): Promise<void> {
    const made = this.#made.get(id)
    this.#made.delete(id)
    const prepared = await made?.prepared.catch(() => undefined)
    if (prepared !== undefined) await undo(id, prepared, this.#setting)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#made.keys()].map((id) => this.drop(id)))
  }
}

/** Rejects when something of it cannot be had; then nothing is left of the rest. */
async function prepareRunner(outline: RunnerOutline, setting: RunnerSetting): Promise<Prepared> {
  const { place, bounds, launcher, isolation } = setting
  const folder = join(place.folder, outline.id)
  const beginning = launcher
    ?.begin(outline) // first: it may have control groups
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
  const bounded = async () => {
    await bounds.prepare(outline)
    const begun = await beginning
    if (begun !== undefined && !(begun instanceof Error)) launcher?.admit(begun, outline)
  }
  const taking = takePorts(setting)
  taking.catch(() => {}) // it is waited for below, also when something else fails before
  let isMade = false // what is in the way is not ours
  try {
    // Some µs each: to wait for a thread takes half a millisecond, of which there would be a dozen.
    makeFolders(folder)
    isMade = true
    isolation.makeFiles(outline.id, folder)
    const [ports] = await Promise.all([taking, bounded()])
    const begun = await beginning
    return { folder, ports, begun, main: noteOf(outline, begun, folder, setting) }
  } catch (error) {
    const had = {
      folder: isMade ? folder : undefined,
      ports: await taking.catch(() => undefined),
      begun: await beginning,
    }
    await undo(outline.id, had, setting).catch(() => {}) // the first error counts
    throw error
  }
}

async function takePorts({ ports }: RunnerSetting): Promise<RunnerPorts> {
  const [app, metrics] = await Promise.allSettled([ports.take(), ports.take()])
  if (app.status === 'fulfilled' && metrics.status === 'fulfilled') return { app: app.value, metrics: metrics.value }
  for (const one of [app, metrics]) if (one.status === 'fulfilled') ports.giveBack(one.value)
  throw app.status === 'rejected' ? app.reason : (metrics as PromiseRejectedResult).reason
}

function noteOf(
  outline: RunnerOutline,
  begun: Prepared['begun'],
  folder: string,
  setting: RunnerSetting,
): ProcIdentity | undefined {
  if (begun === undefined || begun instanceof Error) return undefined
  const main = identityOf(begun.pid)
  if (main !== undefined) note(folder, outline, { ...main, group: setting.launcher?.groupOf(begun) }, setting)
  return main
}

/** Nothing for one that is gone already. */
export function identityOf(pid: number): ProcIdentity | undefined {
  const startTime = procOf(pid)?.startTime
  return startTime === undefined ? undefined : { pid, startTime, bootId: bootId() }
}

/** A runner without a record is found by its environment, once it has one. */
export function note(folder: string, outline: RunnerOutline, main: Recorded, { log }: RunnerSetting): void {
  try {
    writeRecord(folder, outline, main)
  } catch (error) {
    log.warn({ err: error, runner: outline.id }, 'the record of a runner could not be written')
  }
}

/** Prepared, or some of it. */
interface Had extends Pick<Prepared, 'begun'> {
  readonly folder: string | undefined
  readonly ports: RunnerPorts | undefined
}

async function undo(id: RunnerId, { begun, ports, folder }: Had, setting: RunnerSetting): Promise<void> {
  if (begun !== undefined && !(begun instanceof Error)) {
    dismiss(begun)
    await Promise.race([begun.exited, pause(endMs, undefined, { ref: false })]) // its groups cannot be removed before
  }
  for (const port of Object.values(ports ?? {})) setting.ports.giveBack(port)
  await Promise.all([folder && rm(folder, { recursive: true, force: true }), setting.place.cgroups?.remove(id)])
}
