import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { EnvironmentDefinition } from '../../domain/revision.ts'
import { deleteApp } from '../../store/apps.ts'
import { type EnvironmentImage, keepImage, keptImages } from '../../store/environment-images.ts'
import { importedImages, keepImported } from '../../store/imported-images.ts'
import { registerRevision } from '../../store/next-revisions.ts'
import { holdBlob, putManifest, tagsOf } from '../../store/registry.ts'
import { addRunner } from '../../store/runners.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { testSpec } from '../../testing/scheduler.ts'
import type { EngineImages } from './keeping.ts'

let control: TestControl
let forgotten: unknown[]
afterEach(() => control[Symbol.asyncDispose]())

const engineImages: EngineImages = {
  find: async (name) => (name.includes('slim') ? { id: 'sha256:engine', bytes: 200, createdAt: 5_000 } : undefined),
  forgetImported: async (image) => void forgotten.push(image.name),
  forgetEnvironment: async (image) => void forgotten.push(image.tag),
}

async function open() {
  forgotten = []
  control = await openTestControl({ engineImages })
}

const hex = (digit: string) => digit.repeat(64)
const digest = (digit: string) => `sha256:${hex(digit)}`
const base = 'docker.io/library/base:1'

/** An image of 17 bytes in the registry, imported as that name. */
async function imported(name = base, digit = 'a') {
  const repository = `ann/imported/${name.slice(0, name.lastIndexOf(':'))}`
  const tag = name.slice(name.lastIndexOf(':') + 1)
  const layer = { digest: digest('1'), blob: hex('1'), length: 10 }
  const manifest = { digest: digest(digit), blob: hex(digit), length: 7, mediaType: 'image' }
  await control.store.commit(holdBlob(repository, layer, 1))
  const named = { blobs: [layer.digest], manifests: [] }
  await control.store.commit(putManifest(repository, manifest, { named, tags: [tag], now: 1 }))
  await control.store.commit(keepImported({ name, repository, digest: manifest.digest }, 2_000))
  return repository
}

async function environment(id: string, more: Partial<EnvironmentImage> = {}) {
  const image = { imageId: digest('e'), tag: `carrick-1/environment:${id}`, ...more }
  await control.store.commit(keepImage(id, { image, sbom: '{}', now: 3_000 }))
}

async function revision(name: string, environmentId: string, definition?: EnvironmentDefinition) {
  const app = { id: `app-${name}`, accountId: 'account-ann', name, environment: 'main' }
  const spec = { ...testSpec(), environmentId, ...(definition === undefined ? {} : { environment: definition }) }
  const next = { revisionId: `revision-${name}`, strategy: 'recreate', scale: spec.scale, basedOn: spec.scale } as const
  await control.store.commit(registerRevision(app, spec, { ...next, now: 1, authMode: 'private' }))
  return app.id
}

const container = (source: object): EnvironmentDefinition =>
  ({ kind: 'container', accountId: 'account-ann', layers: [], compileBytecode: false, source }) as never
const dockerfile = (text: string) =>
  container({ from: 'dockerfile', dockerfile: text, buildArgs: {}, context: [], buildSecrets: [] })

const Listed = z.object({ images: z.array(z.looseObject({ kind: z.string(), name: z.string() })) })
const list = async () => Listed.parse((await control.rest('/v1/images')).body).images
async function remove(name: string, key?: string) {
  const answer = await control.rest(`/v1/images/${name}`, { method: 'DELETE', ...(key === undefined ? {} : { key }) })
  return { status: answer.status, said: JSON.stringify(answer.body) }
}

test('what was imported, what environments were built on and they themselves are listed with their size and what needs them', async () => {
  await open()
  await imported()
  await environment(hex('c'), { base: 'python:3.11-slim', pushed: `carrick.images/environments@${digest('d')}` })
  await revision('uses', hex('c'))
  await revision('begins', hex('b'), dockerfile('FROM base:1\n'))
  const [uses, begins] = ['uses', 'begins'].map((name) => ({ app: `ann/${name}`, revision_id: `revision-${name}` }))
  const made = (at: number) => new Date(at).toISOString()
  expect(await list()).toEqual([
    { kind: 'imported', name: base, digest: digest('a'), bytes: 17, created_at: made(2_000), used_by: [begins] },
    {
      kind: 'base',
      name: 'docker.io/library/python:3.11-slim',
      digest: 'sha256:engine',
      bytes: 200,
      created_at: made(5_000),
      used_by: [uses],
    },
    { kind: 'environment', name: hex('c'), digest: digest('d'), bytes: null, created_at: made(3_000), used_by: [uses] },
  ])
})

test.each<[string, EnvironmentDefinition | undefined, Partial<EnvironmentImage>?]>([
  ['a Dockerfile begins with it', dockerfile('ARG TAG=1\nFROM base:${TAG}')],
  ['it is the image of an app', container({ from: 'reference', reference: 'base:1' })],
  ['it is that by its digest', container({ from: 'reference', reference: `base@${digest('a')}` })],
  ['an environment was built on it', undefined, { base: 'base:1' }],
])('an imported image stays while %s, and the refusal names the revision', async (_, definition, built) => {
  await open()
  const repository = await imported()
  if (built !== undefined) await environment(hex('f'), built)
  const appId = await revision('needs', hex('f'), definition)
  const { status, said } = await remove('base:1')
  expect(status).toBe(409)
  expect(said).toContain(`${base} stays: a revision needs it (what is built on it): revision-needs of ann/needs`)
  expect(await control.store.read(importedImages())).toHaveLength(1)
  await control.store.commit(deleteApp(appId, 5))
  expect((await remove('base:1')).status).toBe(200)
  expect(await control.store.read(importedImages())).toEqual([])
  expect(await control.store.read(tagsOf(repository, '', 5))).toEqual([])
  expect(forgotten).toEqual([base])
})

test('an environment stays while a revision or a runner has it, and then its record and its names go', async () => {
  await open()
  await environment(hex('c'))
  const appId = await revision('runs', hex('c'))
  expect((await remove('cccccc')).said).toContain('a revision needs it (what runs in it): revision-runs of ann/runs')
  const identity = { id: 'runner', appId, accountId: 'account-ann', revisionId: 'revision-runs', machineType: 'S' }
  await control.store.commit(addRunner({ ...identity, createdAt: 1, state: 'pending', startAt: 1 }))
  await control.store.commit(deleteApp(appId, 5))
  expect(await remove(hex('c'))).toMatchObject({ status: 409, said: expect.stringContaining('a runner runs in it') })
  expect(forgotten).toEqual([])
})

test('one that nothing needs goes, and the answer says what went and when its bytes go', async () => {
  await open()
  await environment(hex('c'))
  const { status, said } = await remove(hex('c').slice(0, 6))
  expect([status, JSON.parse(said)]).toEqual([
    200,
    expect.objectContaining({ kind: 'environment', name: hex('c'), collected_after_hours: 24 }),
  ])
  expect(await control.store.read(keptImages())).toEqual([])
  expect(forgotten).toEqual([`carrick-1/environment:${hex('c')}`])
})

test('what is not there, not said clearly, or not ours, is refused in a sentence and changes nothing', async () => {
  await open()
  await environment(`abcdef${'0'.repeat(58)}`, { base: 'python:3.11-slim' })
  await environment(`abcdef${'1'.repeat(58)}`)
  expect(await remove('nothing:1')).toMatchObject({ status: 404, said: expect.stringContaining('carrick image list') })
  expect(await remove('abcde')).toMatchObject({ status: 404 }) // too little of an id
  expect(await remove('abcdef')).toMatchObject({ status: 422, said: expect.stringContaining('may be any of abcdef0') })
  expect(await remove('python:3.11-slim')).toMatchObject({
    status: 409,
    said: expect.stringContaining('docker image rm'),
  })
  expect(await remove('x'.repeat(1_001))).toMatchObject({ status: 400 })
  expect(await remove('abcdef0', control.keys.bob)).toMatchObject({ status: 403 })
  expect(await control.store.read(keptImages())).toHaveLength(2)
})

test('a tag that leads to another image by now is left alone', async () => {
  await open()
  const repository = await imported()
  const other = { digest: digest('9'), blob: hex('9'), length: 7, mediaType: 'image' }
  await control.store.commit(
    putManifest(repository, other, { named: { blobs: [], manifests: [] }, tags: ['1'], now: 9 }),
  )
  expect((await remove('base:1')).status).toBe(200)
  expect(await control.store.read(tagsOf(repository, '', 5))).toEqual(['1'])
})
