import { expect, test } from 'vitest'
import { namedBlobs } from '../store/blobs.ts'
import { indexType, imageType, openTestRegistry, type TestRegistry } from '../testing/registry.ts'
import { sweepImages } from './sweep.ts'

const graceMs = 3_600_000
const never = new AbortController().signal
const hex = (digest: string) => digest.split(':')[1] ?? ''

/** One sweep of images and then of bytes, as the server does both. */
async function sweep(registry: TestRegistry, pinned: readonly string[] = []) {
  const { store, clock } = registry
  const went = await sweepImages({ store, clock, graceMs, pinned: async () => new Set(pinned) }, never)
  await discard(registry, graceMs)
  return went
}

/** What `discardBlobs` does, which takes its time. */
async function discard(registry: TestRegistry, bytesGraceMs: number): Promise<void> {
  const { store, blobs, clock } = registry
  const namedUnder = await namedBlobs(store)
  for (const key of await keysIn(registry))
    if (!(await namedUnder(key)).has(key)) await blobs.discard(key, clock.now() - bytesGraceMs)
}

async function keysIn({ blobs }: TestRegistry): Promise<string[]> {
  return (await Promise.all(blobs.prefixes.map((prefix) => blobs.keysUnder(prefix)))).flat()
}

const status = async (registry: TestRegistry, path: string) => (await registry.ask(`/v2/ann/app/${path}`)).status

test('an image stays as long as a tag leads to it, and a while longer', async () => {
  await using registry = await openTestRegistry({ graceMs })
  const first = await registry.pushImage('ann/app', 'v1')
  registry.clock.advance(10 * graceMs)
  expect(await sweep(registry)).toEqual({ manifests: 0, blobs: 0 })
  await registry.pushImage('ann/app', 'v1') // the tag leads elsewhere now
  registry.clock.advance(graceMs / 2)
  expect(await sweep(registry)).toEqual({ manifests: 0, blobs: 0 })
  expect(await status(registry, `manifests/${first.digest}`)).toBe(200)
  registry.clock.advance(graceMs)
  expect(await sweep(registry)).toEqual({ manifests: 1, blobs: 2 })
  expect(await status(registry, `manifests/${first.digest}`)).toBe(404)
  expect(await status(registry, `blobs/${first.layer}`)).toBe(404)
  expect(await status(registry, 'manifests/v1')).toBe(200)
})

test('bytes go only when no image of any repository names them', async () => {
  await using registry = await openTestRegistry({ graceMs })
  const { digest, layer, config, manifest } = await registry.pushImage('ann/app', 'v1')
  for (const each of [layer, config])
    await registry.ask(`/v2/ann/other/blobs/uploads/?mount=${each}&from=ann/app`, { method: 'POST' })
  await registry.putManifest('ann/other', 'kept', manifest)
  await registry.ask('/v2/ann/app/manifests/v1', { method: 'DELETE' })
  registry.clock.advance(2 * graceMs)
  expect(await sweep(registry)).toEqual({ manifests: 1, blobs: 2 })
  expect((await keysIn(registry)).toSorted()).toEqual([digest, layer, config].map(hex).toSorted())
  await registry.ask('/v2/ann/other/manifests/kept', { method: 'DELETE' })
  registry.clock.advance(2 * graceMs)
  expect(await sweep(registry)).toEqual({ manifests: 1, blobs: 2 })
  expect(await keysIn(registry)).toEqual([])
})

test('an image of which an environment is made stays without a tag', async () => {
  await using registry = await openTestRegistry({ graceMs })
  const { digest, layer } = await registry.pushImage('ann/app')
  registry.clock.advance(100 * graceMs)
  expect(await sweep(registry, [digest])).toEqual({ manifests: 0, blobs: 0 })
  expect(await status(registry, `manifests/${digest}`)).toBe(200)
  expect(await status(registry, `blobs/${layer}`)).toBe(200)
  expect(await sweep(registry)).toEqual({ manifests: 1, blobs: 2 })
})

test('what an index names stays with it, and what says something about an image with the image', async () => {
  await using registry = await openTestRegistry({ graceMs })
  const child = await registry.pushImage('ann/app')
  const index = (digest: string, size: number) => ({
    schemaVersion: 2,
    mediaType: indexType,
    manifests: [{ mediaType: imageType, digest, size }],
  })
  await registry.putManifest('ann/app', 'multi', index(child.digest, child.size))
  const signature = await registry.pushImage('ann/app', undefined, {
    subject: { mediaType: imageType, digest: child.digest, size: child.size },
  })
  registry.clock.advance(2 * graceMs)
  expect(await sweep(registry)).toEqual({ manifests: 0, blobs: 0 })
  await registry.ask('/v2/ann/app/manifests/multi', { method: 'DELETE' })
  registry.clock.advance(2 * graceMs)
  expect(await sweep(registry)).toEqual({ manifests: 3, blobs: 4 })
  expect(await status(registry, `manifests/${signature.digest}`)).toBe(404)
})

test('a push that found a layer there, and is not done yet, keeps it', async () => {
  await using registry = await openTestRegistry({ graceMs })
  const { layer, config, manifest, digest } = await registry.pushImage('ann/app', 'v1')
  await registry.ask('/v2/ann/app/manifests/v1', { method: 'DELETE' })
  registry.clock.advance(graceMs - 1)
  for (const each of [layer, config])
    expect((await registry.ask(`/v2/ann/app/blobs/${each}`, { method: 'HEAD' })).status).toBe(200)
  registry.clock.advance(graceMs / 2)
  expect(await sweep(registry)).toEqual({ manifests: 1, blobs: 0 })
  expect((await registry.putManifest('ann/app', 'v2', manifest)).status).toBe(201)
  registry.clock.advance(2 * graceMs)
  await sweep(registry)
  expect(await status(registry, `manifests/${digest}`)).toBe(200)
})

test('however pushes and sweeps meet, an image whose push succeeded is whole', async () => {
  await using registry = await openTestRegistry()
  const { store, clock, ask } = registry
  let sweeping = true
  let imagesGraceMs = 0
  let swept = 0
  const sweeper = (async () => {
    for (let look = 1; sweeping; look += 1) {
      const parts = { store, clock, graceMs: imagesGraceMs, pinned: async () => new Set<string>() }
      swept += (await sweepImages(parts, never)).blobs
      if (look % 50 === 0) await discard(registry, 150)
    }
  })()
  let pushed = 0
  for (let turn = 0; turn < 60; turn += 1) {
    // Shorter and longer than a push takes by this clock: what is pushed falls due while it is.
    imagesGraceMs = [20, 60, 120, 160][turn % 4] ?? 0
    const config = await registry.pushBlob('ann/app', `config ${turn % 5}`)
    clock.advance(50)
    const layer = await registry.pushBlob('ann/app', `layer ${turn % 5}`)
    const manifest = { schemaVersion: 2, mediaType: imageType, config, layers: [layer] }
    const putting = registry.putManifest('ann/app', `tag-${turn % 3}`, manifest)
    clock.advance(50)
    const { status: put } = await putting
    expect([201, 404]).toContain(put)
    if (put !== 201) continue
    pushed += 1
    expect(await (await ask(`/v2/ann/app/manifests/tag-${turn % 3}`)).text()).toBe(JSON.stringify(manifest))
    for (const { digest, size } of [config, layer])
      expect(await (await ask(`/v2/ann/app/blobs/${digest}`)).text()).toHaveLength(size)
  }
  sweeping = false
  await sweeper
  expect(pushed).toBeGreaterThan(5)
  expect(swept).toBeGreaterThan(5)
})
