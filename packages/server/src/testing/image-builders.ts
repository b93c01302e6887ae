import { createHmac, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Docker from 'dockerode'
import { labelsOfInstallation } from '../backends/docker/labels.ts'
import { asPodmanTakesIt, isPodman, unlessImagesGo } from '../backends/docker/engine/podman.ts'
import type { ContainerDefinition, EnvironmentDefinition, ImageSource } from '../domain/revision.ts'
import { imageHelper } from '../runtime/runner-programs.ts'
import { openTestStore, type TestStore } from './store.ts'
import type { BuildOptions } from '../builder/builder.ts'
import { createImageBuilder, type ImageBuilder, type ImageBuilderOptions } from '../builder/image/image-builder.ts'
import { plainName, repositoryOf } from '../builder/image/names.ts'

/** The image that `test/engine` provides. */
export const baseImage = 'python:3.11-slim'
const toolsFolder = join(import.meta.dirname, '../../../../.cache/tools')

/** An installation of a test's own on the engine that DOCKER_HOST names. Letting go of it removes all that it made there. */
export interface TestBuilders extends AsyncDisposable {
  readonly engine: Docker
  readonly installation: string
  readonly store: TestStore
  open(options?: Partial<ImageBuilderOptions>): Promise<ImageBuilder>
  /** Names of images that it has there. */
  names(): Promise<readonly string[]>
}

export async function openTestBuilders({ installation = randomUUID() } = {}): Promise<TestBuilders> {
  const engine = new Docker()
  const store = await openTestStore()
  const builders: ImageBuilder[] = []
  const names = async () => {
    const images = await unlessImagesGo(() =>
      engine.listImages({ filters: { reference: [repositoryOf(installation)] } }),
    )
    // Podman tells all names of an image that has one of these.
    const named = images.flatMap(({ RepoTags }) => RepoTags ?? []).map(plainName)
    return named.filter((name) => name.startsWith(`${repositoryOf(installation)}:`))
  }
  return {
    engine,
    installation,
    store,
    names,
    async open(options = {}) {
      const builder = await createImageBuilder({ ...testOptions(installation), engine, store, ...options })
      builders.push(builder)
      return builder
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(builders.map((builder) => builder.close()))
      await store.close()
      const label = Object.entries(labelsOfInstallation(installation)).map(([name, value]) => `${name}=${value}`)
      const containers = await engine.listContainers({ all: true, filters: { label } })
      await Promise.all(containers.map(({ Id }) => engine.getContainer(Id).remove({ force: true })))
      for (const name of await names()) await engine.getImage(name).remove()
    },
  }
}

function testOptions(installation: string) {
  return {
    installation,
    toolsFolder,
    programs: imageHelper,
    blobs: { pathOf: (key: string) => key },
    fingerprint: (value: string) => createHmac('sha256', installation).update(value).digest('hex'),
  }
}

export const withLayers = (...layers: string[][]): EnvironmentDefinition => ({
  kind: 'virtualenv',
  pythonVersion: '3.11',
  layers,
  compileBytecode: false,
})

export const container = (source: ImageSource, more: Partial<ContainerDefinition> = {}): ContainerDefinition => ({
  kind: 'container',
  accountId: 'account-1',
  source,
  layers: [],
  compileBytecode: false,
  ...more,
})

type Dockerfile = Extract<ImageSource, { from: 'dockerfile' }>

export const dockerfile = (text: string, more: Partial<Dockerfile> = {}): Dockerfile => ({
  from: 'dockerfile',
  dockerfile: text,
  buildArgs: {},
  context: [],
  buildSecrets: [],
  ...more,
})

/** A build with all that it says. */
export function start(builder: ImageBuilder, definition: EnvironmentDefinition, options: Partial<BuildOptions> = {}) {
  const lines: string[] = []
  const leaving = new AbortController()
  const onLine = (line: string) => void lines.push(line)
  const built = builder.build(definition, { onLine, signal: leaving.signal, ...options })
  built.catch(() => {}) // some tests look at it later
  return { built, lines, leave: () => leaving.abort(new Error('the caller left')) }
}

/** What a program prints in an image. */
export async function runIn(
  engine: Docker,
  image: string,
  command: readonly string[],
  label: Record<string, string> = {},
) {
  const [program = '', ...args] = command
  const options = {
    Image: image,
    Entrypoint: [program],
    Cmd: args,
    Labels: label,
    Tty: true,
    HostConfig: { NetworkMode: 'none' },
  }
  const made = await engine.createContainer((await isPodman(engine)) ? await asPodmanTakesIt(options) : options)
  try {
    await made.start()
    await made.wait()
    return String(await made.logs({ stdout: true, stderr: true })).trim()
  } finally {
    await made.remove({ force: true })
  }
}

/** Whether a process of this machine, in whichever container, has these words in its command. */
export function isRunning(words: string): boolean {
  return readdirSync('/proc').some((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(words))
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return '' // it has ended
  }
}
