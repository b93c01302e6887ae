/**
 * Builder: definitions become images of a container engine. Reads and writes the engine's images of this installation and
 * the store's record of them. One per installation; of its builds a bounded number at a time.
 */
import { createHash } from 'node:crypto'
import type Docker from 'dockerode'
import { unlessImagesGo } from '../../backends/docker/engine/podman.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { AccountId, EnvironmentId } from '../../domain/ids.ts'
import type { BuiltEnvironment, EnvironmentDefinition } from '../../domain/revision.ts'
import { type Clock, type Moment, systemClock } from '../../kit/clock.ts'
import { type Logger, silent } from '../../kit/logger.ts'
import {
  type EnvironmentImage,
  forgetImage,
  imageOf,
  keepImage,
  keptImages,
  useImage,
} from '../../store/environment-images.ts'
import { present } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import type { Builder, BuildOptions, UnneededEnvironment } from '../builder.ts'
import { checkDefinition, environmentIdOf } from '../definition.ts'
import { usedSecrets } from '../filling.ts'
import { SharedBuild, type Work } from '../shared-build.ts'
import { Turns } from '../turns.ts'
import { buildVariables, type Variables } from '../variables.ts'
import { checkContainer, containerIdOf } from './container-definition.ts'
import { ImageMaker } from './image-maker.ts'
import type { ImageMakerParts } from './image-parts.ts'
import { localImage, findImage, type FoundImage } from './pulls.ts'
import { labelsOfInspection, plainName, removeName, repositoryOf } from './names.ts'
import type { Push } from './push.ts'
import { WayToBuild } from './ways-to-build.ts'

export interface ImageBuilderOptions {
  readonly engine: Docker
  readonly store: Store
  readonly blobs: ImageMakerParts['blobs']
  /** Tells images of this installation from others' on the same engine. */
  readonly installation: string
  /** The folder of `install.py` and `describe.py`. */
  readonly programs: string
  /** Where uv is kept when the machine has none. */
  readonly toolsFolder: string
  /** What virtualenv and conda go on. `{version}` in it is the minor version of Python. */
  readonly baseImage?: string
  /** By whom the base is pulled. */
  readonly registries?: ImageMakerParts['registries']
  /** This server's own addresses, as `host:port`: a build cannot reach them. */
  readonly hosts?: () => readonly string[]
  /** Absent: images stay in the engine. */
  readonly push?: Push
  readonly log?: Logger
  readonly clock?: Clock
  readonly parallel?: number
  readonly timeoutMs?: number
  /** The environment from which index, proxy and certificate settings are taken, and nothing else. */
  readonly variables?: Variables
  /** Tells secrets apart in ids without showing them. */
  readonly fingerprint: (value: string) => string
}

/** Takes over the installation's images: names that an earlier builder left and that nothing keeps are taken away. */
export async function createImageBuilder(options: ImageBuilderOptions): Promise<ImageBuilder> {
  const builder = new ImageBuilder(options)
  await builder.forgetLeftovers()
  return builder
}

/** A definition that was checked, and what is known of it before it is built. */
interface Asked {
  readonly id: EnvironmentId
  readonly definition: EnvironmentDefinition
  readonly found?: FoundImage
}

export class ImageBuilder implements Builder {
  readonly #options: ImageBuilderOptions
  readonly #way: WayToBuild
  readonly #maker: ImageMaker
  readonly #turns: Turns
  readonly #timeoutMs: number
  readonly #log: Logger
  readonly #clock: Clock
  readonly #repository: string
  readonly #builds = new Map<string, SharedBuild>()

  constructor(options: ImageBuilderOptions) {
    this.#options = options
    this.#way = new WayToBuild(options)
    this.#maker = new ImageMaker({
      engine: options.engine,
      way: this.#way,
      installation: options.installation,
      programs: options.programs,
      toolsFolder: options.toolsFolder,
      blobs: options.blobs,
      fingerprint: options.fingerprint,
      baseImage: options.baseImage ?? 'python:{version}-slim',
      push: options.push,
      hosts: options.hosts ?? (() => []),
      registries: options.registries ?? {},
      variables: buildVariables(options.variables ?? process.env, options.toolsFolder),
    })
    this.#turns = new Turns(options.parallel ?? 2)
    this.#timeoutMs = options.timeoutMs ?? 30 * 60_000
    this.#log = options.log ?? silent
    this.#clock = options.clock ?? systemClock()
    this.#repository = repositoryOf(options.installation)
  }

  async build(definition: EnvironmentDefinition, options: BuildOptions): Promise<EnvironmentId> {
    const { force = false, onLine, signal } = options
    signal.throwIfAborted()
    const asked = await this.#asked(definition, options)
    if (!force && (await this.#hit(asked))) {
      await this.#options.store.commit(useImage(asked.id, this.#clock.now()))
      return asked.id
    }
    const work: Work = (say, stop) => this.#build(asked, { ...options, force, onLine: say, signal: stop })
    return await this.#shared(`${asked.id} ${force}`, work).join(onLine, signal)
  }

  async placeOf(id: EnvironmentId): Promise<BuiltEnvironment> {
    const image = await this.#options.store.read(imageOf(id))
    if (image === undefined)
      throw new CarrickError('build_failed', `Environment ${id} was never built as an image: deploy again`)
    const { pushed, imageId, python } = image
    const { push } = this.#options
    const reference = pushed === undefined || push === undefined ? imageId : push.referenceOf(pushed)
    return { kind: 'image', reference, ...present('python', python) }
  }

  async has(id: EnvironmentId): Promise<boolean> {
    const image = await this.#options.store.read(imageOf(id))
    return image !== undefined && (await this.#isThere(image))
  }

  /** Takes away what nothing names, and nobody asked for since then. Answers how many environments. What runs stays. */
  async sweep(named: ReadonlySet<EnvironmentId>, before: Moment): Promise<number> {
    const { store } = this.#options
    let gone = 0
    for (const { id, image, usedAt } of await store.read(keptImages())) {
      if (named.has(id) || usedAt >= before || !(await store.commit(forgetImage(id, before)))) continue
      await this.#forgetNames(image)
      gone += 1
    }
    return gone
  }

  /** What `sweep` would take away now, and how large its images are. */
  async unneeded(named: ReadonlySet<EnvironmentId>, before: Moment): Promise<readonly UnneededEnvironment[]> {
    const { store, engine } = this.#options
    const kept = (await store.read(keptImages())).filter(({ id, usedAt }) => !named.has(id) && usedAt < before)
    return await Promise.all(
      kept.map(async ({ id, image }) => {
        const seen = await engine
          .getImage(image.imageId)
          .inspect()
          .catch(() => undefined)
        return { id, bytes: seen?.Size }
      }),
    )
  }

  /** Gives up what is being built. */
  async close(): Promise<void> {
    const builds = [...this.#builds.values()]
    for (const build of builds)
      build.stop(new CarrickError('draining', 'the server is stopping: deploy again when it is back'))
    await Promise.allSettled(builds.map(({ ended }) => ended))
  }

  /** Takes away names and containers of ours that no record has: of builds that ended with their server. */
  async forgetLeftovers(): Promise<void> {
    const { engine, store, installation } = this.#options
    await this.#way.endLeftovers()
    const kept = new Set((await store.read(keptImages())).map(({ image }) => image.tag))
    const ours = await unlessImagesGo(() => engine.listImages({ filters: { reference: [this.#repository] } }))
    const left = ours
      .flatMap(({ RepoTags }) => RepoTags ?? [])
      .map(plainName)
      .filter((name) => name.startsWith(`${this.#repository}:`) && !kept.has(name))
    await Promise.all(left.map((name) => removeName(engine, name)))
    const label = Object.entries(labelsOfInspection(installation)).map(([name, value]) => `${name}=${value}`)
    const looking = await engine.listContainers({ all: true, filters: { label } })
    await Promise.all(looking.map(({ Id }) => engine.getContainer(Id).remove({ force: true })))
  }

  async #asked(given: EnvironmentDefinition, options: BuildOptions): Promise<Asked> {
    const { accountId, secrets = {}, buildSecrets = {}, registries = {}, force = false } = options
    const { fingerprint, engine } = this.#options
    if (given.kind !== 'container') {
      const definition = checkDefinition(given, secrets)
      const used = usedSecrets(definition.layers, secrets)
      return { id: ofAccount(accountId, environmentIdOf(definition, { secrets: used, fingerprint })), definition }
    }
    const definition = checkContainer(given, secrets)
    const { source } = definition
    const found =
      source.from === 'reference' ? await findImage(engine, source.reference, { registries, anew: force }) : undefined
    const digest = found?.digest ?? (source.from === 'base' ? this.#maker.baseFor(definition.pythonVersion) : undefined)
    const facts = { secrets, buildSecrets, fingerprint, ...present('digest', digest) }
    return { id: containerIdOf(definition, facts), definition, ...present('found', found) }
  }

  /** Whether what is asked for is there already, and would be the same today. */
  async #hit({ id, definition }: Asked): Promise<boolean> {
    const image = await this.#options.store.read(imageOf(id))
    if (image === undefined || !(await this.#isThere(image))) return false
    return definition.kind === 'container' || image.base === this.#maker.baseFor(definition.pythonVersion)
  }

  async #isThere({ imageId, pushed }: EnvironmentImage): Promise<boolean> {
    const { engine, push } = this.#options
    if ((await localImage(engine, imageId)) !== undefined) return push === undefined || pushed !== undefined
    return pushed !== undefined && push !== undefined && (await push.has(pushed))
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

  async #build(asked: Asked, options: BuildOptions): Promise<EnvironmentId> {
    const { onLine, signal } = options
    const wait = (ahead: number) => onLine(`Waiting for ${ahead} other ${ahead === 1 ? 'build' : 'builds'}`)
    await this.#turns.run(() => this.#makeWithinTime(asked, options), signal, wait)
    return asked.id
  }

  async #makeWithinTime(asked: Asked, options: BuildOptions): Promise<void> {
    const startedAt = this.#clock.now()
    const limit = AbortSignal.timeout(this.#timeoutMs)
    try {
      await this.#make(asked, { ...options, signal: AbortSignal.any([options.signal, limit]) })
    } catch (error) {
      throw limit.aborted && !options.signal.aborted ? this.#tooLong() : error
    }
    this.#log.info({ environment: asked.id, ms: this.#clock.now() - startedAt }, 'an image was built')
  }

  /** It counts from the moment at which its record is on disk. */
  async #make({ id, definition, found }: Asked, options: BuildOptions): Promise<void> {
    const { force = false, secrets = {}, buildSecrets = {}, registries = {}, onLine, signal } = options
    const { store } = this.#options
    const given = {
      force,
      secrets,
      buildSecrets,
      registries,
      onLine,
      signal,
      ...present('accountId', options.accountId),
      ...present('found', found),
    }
    const { image, sbom } = await this.#maker.make(id, definition, given)
    signal.throwIfAborted()
    const former = await store.read(imageOf(id))
    await store.commit(keepImage(id, { image, sbom, now: this.#clock.now() }))
    if (former !== undefined && former.tag !== image.tag) {
      await this.#forgetNames({
        tag: former.tag,
        ...(former.pushed !== image.pushed && present('pushed', former.pushed)),
      })
    }
  }

  /** Takes its names away from the engine, and with the last one the image. */
  async #forgetNames({ tag, pushed }: Pick<EnvironmentImage, 'tag' | 'pushed'>): Promise<void> {
    if (pushed !== undefined) await this.#options.push?.forget(pushed)
    await removeName(this.#options.engine, tag)
  }

  #tooLong(): CarrickError {
    const seconds = Math.round(this.#timeoutMs / 1_000)
    const message = `The image could not be built within ${seconds} seconds: the build was ended.`
    return new CarrickError('build_failed', message)
  }
}

/**
 * What an account's builds may have left in the caches of its packages is in its images: those of two accounts are two,
 * also where their definitions are equal.
 */
function ofAccount(accountId: AccountId | undefined, id: EnvironmentId): EnvironmentId {
  return accountId === undefined ? id : createHash('sha256').update(`${accountId} ${id}`).digest('hex')
}
