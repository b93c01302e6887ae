import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { labelsOfInstallation } from '../../backends/docker/labels.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { EnvironmentId } from '../../domain/ids.ts'
import type { EnvironmentDefinition, ImageSource } from '../../domain/revision.ts'
import { present } from '../../store/rows.ts'
import { condaArguments } from '../conda.ts'
import { ourPackages } from '../definition.ts'
import { usedSecrets } from '../filling.ts'
import { findMicromamba } from '../micromamba.ts'
import { provideUv } from '../uv.ts'
import { contextOf, epochSeconds, type ContextFile } from './context.ts'
import { type Described } from './describe.ts'
import { EngineBuildError, type EngineBuild } from './engine-build.ts'
import { buildFailure } from './failure.ts'
import { layerFiles, layersDockerfile, layersOf, layerStepName, venv, venvPython, type LayerPlan } from './layers.ts'
import { labelNames, labelsOfInspection, newTag, removeName, repositoryOf } from './names.ts'
import { bundleSecret, settingsSecret, settingsVariables } from './packages-settings.ts'
import { findImage, localImage, pullImage, type FoundImage } from './pulls.ts'
import { PushAhead } from './push-ahead.ts'
import { OneAtATime } from './one-at-a-time.ts'
import { bringOwnArchives } from './own-archives.ts'
import { cycloneDx } from './sbom.ts'
import { systemPackages } from './system-packages.ts'
import { stepName } from './trace.ts'
import { checkVersion, programsFor, type ImagePythons } from './image-pythons.ts'
import type { ImageMakerParts, Made, MakeOptions } from './image-parts.ts'

const condaPlace = { folder: venv, root: '/dev/carrick/cache/micromamba' }

/** What builds have in common. */
export interface Shared {
  readonly pythons: ImagePythons
  readonly pulls: OneAtATime
}

/** One build, step by step, and the names that it gave. */
export class ImageRun {
  readonly #id: EnvironmentId
  readonly #definition: EnvironmentDefinition
  readonly #options: MakeOptions
  readonly #parts: ImageMakerParts
  readonly #repository: string
  readonly #pythons: ImagePythons
  readonly #pulls: Shared['pulls']
  readonly #named: string[] = []
  #ahead: PushAhead | undefined

  constructor(
    id: EnvironmentId,
    definition: EnvironmentDefinition,
    options: MakeOptions,
    parts: ImageMakerParts,
    { pythons, pulls }: Shared,
  ) {
    this.#id = id
    this.#definition = definition
    this.#options = options
    this.#parts = parts
    this.#repository = repositoryOf(parts.installation)
    this.#pythons = pythons
    this.#pulls = pulls
  }

  async make(base: string): Promise<Made> {
    const on = await this.#startingPoint(base)
    if (this.#needsLayers()) this.#ahead = await this.#pushAhead(on)
    const tag = this.#needsLayers() ? await this.#addLayers(on) : on
    const { engine } = this.#parts
    const { signal, onLine } = this.#options
    const imageId = await localImage(engine, tag)
    if (imageId === undefined) throw new Error(`the engine lost ${tag}`)
    const described = await this.#pythons.of(
      imageId,
      this.#needsLayers() ? [venvPython] : programsFor(this.#definition),
      signal,
    )
    checkVersion(this.#definition, described, tag)
    const system = await systemPackages(engine, imageId, labelsOfInspection(this.#parts.installation))
    const sbom = cycloneDx({
      id: this.#id,
      digest: imageId,
      system,
      ...present('python', described),
    })
    const accountId = this.#accountId()
    await this.#ahead?.over(onLine) // the engine would pack a layer twice that it is packing
    const pushed = await this.#parts.push?.push({
      environment: this.#id,
      image: imageId,
      onLine,
      signal,
      ...present('accountId', accountId),
    })
    await this.#forgetAllBut(tag)
    return {
      sbom,
      image: {
        imageId,
        tag,
        ...(this.#definition.kind === 'container' ? {} : { base }),
        ...present('pushed', pushed),
        ...present('python', described?.executable),
        ...present('accountId', accountId),
      },
    }
  }

  /** Takes back the names that it gave: what has no name goes when the engine is tidied. */
  async undo(): Promise<void> {
    await this.#ahead?.leave()
    await this.#forgetAllBut(undefined)
  }

  async #pushAhead(on: string): Promise<PushAhead | undefined> {
    const { push, engine } = this.#parts
    const image = await localImage(engine, on)
    if (push === undefined || image === undefined) return undefined
    const whose = present('accountId', this.#accountId())
    const { signal } = this.#options
    return new PushAhead((each) => push.ahead(each), { environment: this.#id, image, signal, ...whose })
  }

  async #forgetAllBut(kept: string | undefined): Promise<void> {
    const gone = this.#named.filter((name) => name !== kept)
    await Promise.all(gone.map((name) => removeName(this.#parts.engine, name)))
  }

  #newName(): string {
    const name = `${this.#repository}:${newTag(this.#id)}`
    this.#named.push(name)
    return name
  }

  #accountId(): string | undefined {
    return this.#definition.kind === 'container' ? this.#definition.accountId : this.#options.accountId
  }

  /** An image that serves by itself stays as it is; all others have what we need in them. */
  #needsLayers(): boolean {
    const { kind, layers } = this.#definition
    return kind !== 'container' || layers.length > 0
  }

  #labels(): Record<string, string> {
    const accountId = this.#accountId()
    return {
      ...labelsOfInstallation(this.#parts.installation),
      [labelNames.environment]: this.#id,
      [labelNames.source]: `sha256:${createHash('sha256').update(JSON.stringify(this.#definition)).digest('hex')}`,
      ...(accountId === undefined ? {} : { [labelNames.account]: accountId }),
    }
  }

  /** What the requirements go on, under a name of ours. */
  async #startingPoint(base: string): Promise<string> {
    const { definition, found, registries } = { definition: this.#definition, ...this.#options }
    if (definition.kind !== 'container' || definition.source.from === 'base') return await this.#ownBase(base)
    if (definition.source.from === 'dockerfile') return await this.#fromDockerfile(definition.source)
    const { reference } = definition.source
    const image = found ?? (await findImage(this.#parts.engine, reference, { registries, anew: this.#options.force }))
    return await this.#fetch(image, registries)
  }

  async #ownBase(base: string): Promise<string> {
    this.#options.onLine(`Building an environment on ${base}`)
    const { registries } = this.#parts
    const image = await findImage(this.#parts.engine, base, { registries, anew: this.#options.force })
    return await this.#fetch(image, registries)
  }

  async #fetch({ digest, pull }: FoundImage, registries: MakeOptions['registries']): Promise<string> {
    const { engine } = this.#parts
    if (pull === undefined) return await this.#name(digest)
    const { onLine, signal } = this.#options
    // Another build of the same would lose the name between its pull and its own name for it.
    return await this.#pulls.run(pull, async () => {
      await pullImage(engine, pull, { registries, onLine, signal })
      const name = await this.#name(pull)
      // By its digest others could begin a Dockerfile with it whom its registry would not give it.
      await removeName(engine, pull)
      return name
    })
  }

  /** Gives an image of the engine a name of ours. */
  async #name(image: string): Promise<string> {
    const name = this.#newName()
    const tag = name.slice(this.#repository.length + 1)
    await this.#parts.engine.getImage(image).tag({ repo: this.#repository, tag })
    return name
  }

  async #fromDockerfile(source: Extract<ImageSource, { from: 'dockerfile' }>): Promise<string> {
    const { dockerfile, buildArgs, context } = source
    const { buildSecrets, registries, force } = this.#options
    const taken = new Set(context.map(({ path }) => path.split('/', 1)[0]))
    const path = ['Dockerfile', ...Array.from(taken, (name) => `${name}.dockerfile`)].find((name) => !taken.has(name))!
    const files: ContextFile[] = context.map(({ path: to, mode, blob }) => ({
      path: to,
      mode,
      content: { file: () => Promise.resolve(this.#parts.blobs.pathOf(blob)) },
    }))
    const hasSecrets = Object.keys(buildSecrets).length > 0
    const name = this.#newName()
    const own = await this.#parts.way.ofOwner(dockerfile, this.#accountId() ?? '')
    await this.#build(
      {
        context: contextOf([{ path, mode: 0o644, content: own.text }, ...files]),
        dockerfile: path,
        buildArgs: { ...buildArgs, ...own.buildArgs },
        // What a step made of a secret is nobody's but who has it, and the engine's cache knows no secrets.
        noCache: force || hasSecrets || own.isUncached,
        secrets: new Map(Object.entries(buildSecrets)),
        registries,
        tag: name,
        nameOf: stepName,
      },
      dockerfile,
    )
    return name
  }

  async #addLayers(on: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'carrick-archives-'))
    try {
      const { hosts, variables } = this.#parts
      const { signal } = this.#options
      const bundle = variables['SSL_CERT_FILE']
      const asked = { hosts: hosts(), bundle, folder, signal }
      const { layers, files } = await bringOwnArchives(layersOf(this.#definition), asked)
      return await this.#installLayers(on, { ...this.#definition, layers }, files)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async #installLayers(on: string, definition: EnvironmentDefinition, files: readonly ContextFile[]): Promise<string> {
    const { force, secrets: given } = this.#options
    const python = await this.#interpreterOf(on)
    const used = usedSecrets(definition.layers, given)
    const accountId = this.#accountId()
    const { installation, fingerprint, variables } = this.#parts
    const plan: LayerPlan = {
      definition,
      on,
      user: await this.#userOf(on),
      python: python.executable,
      cacheName: ['carrick', installation, accountId ?? 'all'].join('-'),
      fingerprint: Object.keys(used).length === 0 ? '' : fingerprint(JSON.stringify(used)),
      hasFiles: files.length > 0,
      ...present('conda', definition.kind === 'conda' ? condaArguments(definition, condaPlace) : undefined),
    }
    const settings = { variables: settingsVariables(variables), secrets: used, refresh: force }
    const own = await this.#parts.way.ofOwner(layersDockerfile(plan, ourPackages), accountId ?? '')
    const name = this.#newName()
    await this.#build({
      context: contextOf([
        { path: 'Dockerfile', mode: 0o644, content: own.text },
        ...(await this.#tools()),
        ...layerFiles(plan, ourPackages),
        ...files,
      ]),
      dockerfile: 'Dockerfile',
      buildArgs: {},
      noCache: force || (files.length > 0 && !(await this.#parts.way.looksAtMounts())),
      secrets: new Map([
        ['carrick-settings', settingsSecret(definition, settings)],
        ['carrick-bundle', await bundleSecret(variables['SSL_CERT_FILE'])],
      ]),
      registries: {},
      tag: name,
      timestamp: epochSeconds,
      nameOf: layerStepName,
    })
    return name
  }

  /** Whom the image runs as: it stays that way. */
  async #userOf(image: string): Promise<string> {
    const user = (await this.#parts.engine.getImage(image).inspect()).Config.User
    if (/^[\w.:@-]*$/.test(user)) return user
    throw new CarrickError('build_failed', `The user of this image, ${JSON.stringify(user.slice(0, 100))}, is none`)
  }

  async #build(build: Omit<EngineBuild, 'labels' | 'onLine' | 'signal'>, dockerfile?: string): Promise<void> {
    const { onLine, signal } = this.#options
    try {
      await this.#parts.way.build({ ...build, labels: this.#labels(), onLine, signal })
    } catch (error) {
      throw error instanceof EngineBuildError ? buildFailure(error, dockerfile) : error
    }
  }

  /** What lies beside the layers while they are made. */
  async #tools(): Promise<ContextFile[]> {
    const { toolsFolder, variables, programs } = this.#parts
    const { onLine, signal } = this.#options
    const uv = await provideUv({ toolsFolder, variables, onLine, signal })
    const conda = this.#definition.kind === 'conda' ? await findMicromamba(toolsFolder, variables) : undefined
    const program = (name: string, file: string): ContextFile => ({
      path: `tools/${name}`,
      mode: 0o755,
      content: { file: () => Promise.resolve(file) },
    })
    return [
      program('install.py', join(programs, 'install.py')),
      program('uv', uv),
      ...(conda === undefined ? [] : [program('micromamba', conda)]),
    ]
  }

  async #interpreterOf(on: string): Promise<Described> {
    const image = (await localImage(this.#parts.engine, on)) ?? on
    const found = await this.#pythons.of(image, programsFor(this.#definition), this.#options.signal)
    checkVersion(this.#definition, found, on)
    if (found !== undefined) return found
    const message =
      'There is no Python in this image (no `python3` or `python` on its PATH), and requirements were to be installed: use an image that has one'
    throw new CarrickError('build_failed', message)
  }
}
