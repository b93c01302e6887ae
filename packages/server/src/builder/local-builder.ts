/**
 * Builder: definitions become environment folders on this machine. Reads and writes its own folder, runs uv. One per
 * folder; of its builds a bounded number at a time.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { CarrickError } from '../domain/errors.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import type { BuiltEnvironment, EnvironmentDefinition, FolderDefinition } from '../domain/revision.ts'
import { type Clock, type Moment, systemClock } from '../kit/clock.ts'
import { type Logger, silent } from '../kit/logger.ts'
import { diskUsage } from '../kit/disk-usage.ts'
import type { Builder, BuildOptions, UnneededEnvironment } from './builder.ts'
import { dropCaches, type Cache } from './caches.ts'
import { checkDefinition, environmentIdOf } from './definition.ts'
import { usedSecrets } from './filling.ts'
import { Maker } from './maker.ts'
import { Places } from './places.ts'
import { findPythons } from './pythons.ts'
import { SharedBuild, type Work } from './shared-build.ts'
import { Turns } from './turns.ts'
import { buildVariables, type Variables } from './variables.ts'

export interface LocalBuilderOptions {
  /** Environments, at their final place. Belongs to this builder alone. */
  readonly folder: string
  /** Downloads that may be deleted at any time. On the file system of `folder`, so that files are shared, not copied. */
  readonly cacheFolder: string
  /** Where uv is kept when the machine has none. */
  readonly toolsFolder?: string
  readonly log?: Logger
  readonly clock?: Clock
  readonly parallel?: number
  readonly timeoutMs?: number
  /** The environment from which index, proxy and certificate settings are taken, and nothing else. */
  readonly variables?: Variables
  /** Tells secrets apart in ids of environments without showing them. Without it, every start builds those anew. */
  readonly fingerprint?: (value: string) => string
}

/** Takes over the folder: what an earlier builder left unfinished is removed. */
export async function createBuilder(options: LocalBuilderOptions): Promise<LocalBuilder> {
  return new LocalBuilder(await Places.open(options.folder), options)
}

export class LocalBuilder implements Builder {
  readonly #places: Places
  readonly #maker: Maker
  readonly #turns: Turns
  readonly #variables: Readonly<Record<string, string>>
  readonly #fingerprint: (value: string) => string
  readonly #timeoutMs: number
  readonly #log: Logger
  readonly #clock: Clock
  readonly #cacheFolder: string
  readonly #builds = new Map<string, SharedBuild>()

  constructor(places: Places, options: LocalBuilderOptions) {
    const { cacheFolder, toolsFolder = join(cacheFolder, 'tools'), variables = process.env } = options
    this.#places = places
    this.#cacheFolder = cacheFolder
    this.#variables = buildVariables(variables, join(cacheFolder, 'uv'))
    this.#maker = new Maker({
      places,
      toolsFolder,
      condaFolder: join(cacheFolder, 'micromamba'),
      variables: this.#variables,
    })
    this.#turns = new Turns(options.parallel ?? 2)
    this.#fingerprint = options.fingerprint ?? fingerprintOfThisStart()
    this.#timeoutMs = options.timeoutMs ?? 30 * 60_000
    this.#log = options.log ?? silent
    this.#clock = options.clock ?? systemClock()
  }

  async build(asked: EnvironmentDefinition, options: BuildOptions): Promise<EnvironmentId> {
    if (asked.kind === 'container') throw needsEngine()
    const { force = false, secrets: given = {}, onLine, signal } = options
    const definition = checkDefinition(asked, given)
    const secrets = usedSecrets(definition.layers, given)
    const id = environmentIdOf(definition, { secrets, fingerprint: this.#fingerprint })
    signal.throwIfAborted()
    if (!force && (await this.has(id))) {
      await this.#places.use(id, this.#clock.now())
      return id
    }
    const work: Work = (say, stop) => this.#build(id, definition, { force, secrets, onLine: say, signal: stop })
    return await this.#shared(`${id} ${force}`, work).join(onLine, signal)
  }

  async placeOf(id: EnvironmentId): Promise<BuiltEnvironment> {
    return { kind: 'folder', path: this.folderOf(id) }
  }

  /** The folder of an environment, whether it exists or not. */
  folderOf(id: EnvironmentId): string {
    return this.#places.folderOf(id)
  }

  has(id: EnvironmentId): Promise<boolean> {
    return this.#places.has(id)
  }

  /** Takes away what nothing names, and nobody asked for since then. Answers how many environments. */
  sweep(named: ReadonlySet<EnvironmentId>, before: Moment): Promise<number> {
    return this.#places.sweep(named, before)
  }

  /** What `sweep` would take away now, and how much of the disk it has. */
  async unneeded(
    named: ReadonlySet<EnvironmentId>,
    before: Moment,
    signal: AbortSignal,
  ): Promise<readonly UnneededEnvironment[]> {
    const found = await this.#places.unneeded(named, before)
    const sizes = await diskUsage(
      found.map(({ folder }) => folder),
      signal,
    )
    return found.map(({ id, folder }) => ({ id, bytes: sizes.get(folder) }))
  }

  /** Takes away what makes later builds faster; nothing while one is under way. Answers what there is, or was, of it. */
  dropCaches(how: { readonly dryRun: boolean; readonly signal: AbortSignal }): Promise<readonly Cache[]> {
    return dropCaches(this.#cacheFolder, { ...how, isIdle: () => this.#builds.size === 0 })
  }

  /** The newest minor version of Python on this machine, such as `3.13`. */
  async newestPython(): Promise<string> {
    const newest = (await findPythons(this.#variables)).at(-1)
    if (newest === undefined)
      throw new CarrickError(
        'bad_request',
        'No Python was found on this machine. Run `apt-get install -y python3 python3-venv`.',
      )
    return newest.minor
  }

  /** Gives up what is being built. */
  async close(): Promise<void> {
    const builds = [...this.#builds.values()]
    for (const build of builds)
      build.stop(new CarrickError('draining', 'the server is stopping: deploy again when it is back'))
    await Promise.allSettled(builds.map(({ ended }) => ended))
  }

  /** The build of this name that is under way, or a new one. */
  #shared(name: string, work: Work): SharedBuild {
    const underWay = this.#builds.get(name)
    if (underWay !== undefined && !underWay.isStopped) return underWay
    const build = new SharedBuild(work)
    this.#builds.set(name, build)
    const forget = () => this.#builds.get(name) === build && this.#builds.delete(name)
    build.ended.then(forget, forget)
    return build
  }

  async #build(id: EnvironmentId, definition: FolderDefinition, options: BuildOptions): Promise<EnvironmentId> {
    const { onLine, signal } = options
    const wait = (ahead: number) => onLine(`Waiting for ${ahead} other ${ahead === 1 ? 'build' : 'builds'}`)
    await this.#turns.run(() => this.#makeWithinTime(id, definition, options), signal, wait)
    return id
  }

  async #makeWithinTime(id: EnvironmentId, definition: FolderDefinition, options: BuildOptions): Promise<void> {
    const startedAt = this.#clock.now()
    const limit = AbortSignal.timeout(this.#timeoutMs)
    try {
      await this.#maker.make(id, definition, { ...options, signal: AbortSignal.any([options.signal, limit]) })
    } catch (error) {
      throw limit.aborted && !options.signal.aborted ? this.#tooLong() : error
    }
    this.#log.info({ environment: id, ms: this.#clock.now() - startedAt }, 'an environment was built')
  }

  #tooLong(): CarrickError {
    const seconds = Math.round(this.#timeoutMs / 1_000)
    return new CarrickError(
      'build_failed',
      `The environment could not be built within ${seconds} seconds: the build was ended.`,
    )
  }
}

function needsEngine(): CarrickError {
  return new CarrickError(
    'unimplemented',
    'Images need a container engine, and this server runs processes: start it with --backend docker, or use requirements (kind "virtualenv")',
  )
}

function fingerprintOfThisStart(): (value: string) => string {
  const key = randomBytes(32)
  return (value) => createHmac('sha256', key).update(value).digest('hex')
}
