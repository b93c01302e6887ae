import { createHmac, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import Docker from 'dockerode'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ContainerDefinition, EnvironmentDefinition, ImageSource } from '../../domain/revision.ts'
import { imageHelper } from '../../runner-programs.ts'
import { openTestStore, type TestStore } from '../../testing/store.ts'
import type { BuildOptions } from '../builder.ts'
import { createImageBuilder, type ImageBuilder, type ImageBuilderOptions } from './image-builder.ts'
import { labelNames, repositoryOf } from './names.ts'

const engine = new Docker()
const base = 'python:3.11-slim'
const toolsFolder = join(import.meta.dirname, '../../../../../.cache/tools')
let installation = ''
let store: TestStore
const builders: ImageBuilder[] = []

beforeEach(async () => {
  installation = randomUUID()
  store = await openTestStore()
})
afterEach(async () => {
  await Promise.all(builders.splice(0).map((builder) => builder.close()))
  await store.close()
  await removeOurs()
})
afterAll(removeOurs)

async function removeOurs(): Promise<void> {
  const label = [`${labelNames.installation}=${installation}`]
  for (const { Id } of await engine.listContainers({ all: true, filters: { label } })) {
    await engine.getContainer(Id).remove({ force: true })
  }
  const named = await engine.listImages({ filters: { reference: [repositoryOf(installation)] } })
  for (const tag of named.flatMap(({ RepoTags }) => RepoTags ?? [])) await engine.getImage(tag).remove({ force: true })
}

async function open(options: Partial<ImageBuilderOptions> = {}): Promise<ImageBuilder> {
  const builder = await createImageBuilder({
    engine,
    store,
    installation,
    toolsFolder,
    programs: imageHelper,
    blobs: { pathOf: (key) => key },
    fingerprint: (value) => createHmac('sha256', installation).update(value).digest('hex'),
    ...options,
  })
  builders.push(builder)
  return builder
}

const withLayers = (...layers: string[][]): EnvironmentDefinition => ({
  kind: 'virtualenv',
  pythonVersion: '3.11',
  layers,
  compileBytecode: false,
})

const container = (source: ImageSource, more: Partial<ContainerDefinition> = {}): ContainerDefinition => ({
  kind: 'container',
  accountId: 'account-1',
  source,
  layers: [],
  compileBytecode: false,
  ...more,
})

function start(builder: ImageBuilder, definition: EnvironmentDefinition, options: Partial<BuildOptions> = {}) {
  const lines: string[] = []
  const leaving = new AbortController()
  const built = builder.build(definition, { onLine: (line) => lines.push(line), signal: leaving.signal, ...options })
  built.catch(() => {}) // some tests look at it later
  return { built, lines, leave: () => leaving.abort(new Error('the caller left')) }
}

describe('a build', () => {
  test('makes an image of requirements, whose Python is at a path that stays', async () => {
    const builder = await open()
    const { built, lines } = start(builder, withLayers(['six==1.16.0'], ['idna']))
    const place = await builder.placeOf(await built)
    expect(place).toMatchObject({ kind: 'image', python: '/opt/carrick/venv/bin/python' })
    expect(lines.join('\n')).toMatch(/six==1\.16\.0/)
    expect(JSON.parse((await builder.sbomOf(await built)) ?? '').components).toContainEqual(
      expect.objectContaining({ name: 'six', version: '1.16.0', purl: 'pkg:pypi/six@1.16.0' }),
    )
  })

  test('of an image that is named takes it as it is', async () => {
    const builder = await open()
    const { built } = start(builder, container({ from: 'reference', reference: base }))
    expect(await builder.placeOf(await built)).toEqual({
      kind: 'image',
      reference: (await engine.getImage(base).inspect()).Id,
      python: expect.stringMatching(/^\/usr\/bin\/python3/),
    })
  })
})
