import Docker from 'dockerode'
import { mkdir, mkdtempDisposable, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sweepFiles } from '../api/retention/file-sweep.ts'
import { ImageBuilder } from '../builder/image/image-builder.ts'
import { Places } from '../builder/places.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import { silent } from '../kit/logger.ts'
import { keptDigests, pushTo } from './pushed-images.ts'
import { sweepImages } from '../registry/sweep.ts'
import { deleteApp } from '../store/apps.ts'
import { imageOf, keepImage } from '../store/environment-images.ts'
import { deleteRevision } from '../store/revisions.ts'
import { openTestRegistry, type TestRegistry } from '../testing/registry.ts'
import { registerTestRevision } from '../testing/scheduler.ts'
import { addTestAccount } from '../testing/store.ts'

const day = 86_400_000
const never = new AbortController().signal
const [inFolder, inImage]: readonly EnvironmentId[] = ['e'.repeat(64), 'f'.repeat(64)]

/** An environment as a build leaves it, so long ago that nobody remembers who asked for it. */
async function environmentIn(folder: string, now: number): Promise<Places> {
  const places = await Places.open(folder)
  const generation = await places.newPlace(inFolder!)
  await mkdir(join(places.folderOf(inFolder!, generation), 'bin'))
  await writeFile(join(places.folderOf(inFolder!, generation), 'bin/python'), '')
  await places.finish(inFolder!, generation)
  await places.use(inFolder!, now)
  return places
}

/** Builders of both kinds. The engine of one is gone: what is left there is not what this is about. */
function buildersOf({ store, registry, blobs, clock }: TestRegistry, places: Places) {
  const engine = new Docker({ socketPath: '/nowhere/docker.sock' })
  const images = new ImageBuilder({
    engine,
    store,
    blobs,
    clock,
    installation: 'test',
    programs: '/nowhere',
    toolsFolder: '/nowhere',
    push: pushTo(registry, engine, { store }),
    fingerprint: (value) => value,
  })
  return {
    sweep: async (named: ReadonlySet<EnvironmentId>, before: number) =>
      (await places.sweep(named, before)) + (await images.sweep(named, before)),
  }
}

test('what an undeleted revision names stays for ever: its environment in a folder or an image, its pickle, its files', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-kept-'))
  await using registry = await openTestRegistry()
  const { store, blobs, clock } = registry
  await addTestAccount(store, { nickname: 'eve' })
  const places = await environmentIn(folder.path, clock.now())
  const environments = buildersOf(registry, places)
  const { digest, layer } = await registry.pushImage('ann/environments')
  const image = { imageId: 'sha256:0', tag: 'environment:1', pushed: `ann/environments@${digest}` }
  await store.commit(keepImage(inImage!, { image, sbom: '{}', now: clock.now() }))
  const bytes = Object.fromEntries(
    await Promise.all(
      ['old pickle', 'new pickle', 'file', 'context'].map(async (text) => {
        const { key } = await blobs.put(Buffer.from(text))
        await utimes(blobs.pathOf(key), 1, 1)
        return [text, key] as const
      }),
    ),
  )
  const environment = {
    kind: 'container',
    accountId: 'account-1',
    layers: [],
    compileBytecode: false,
    source: {
      from: 'dockerfile',
      dockerfile: 'FROM scratch',
      buildArgs: {},
      context: [{ path: 'a', mode: 0o644, blob: bytes['context']! }],
      buildSecrets: [],
    },
  } as const
  const deploy = async (revision: string, pickle: string, more: object) =>
    registerTestRevision(
      store,
      { revision, spec: { callable: { method: 'dill', blob: bytes[pickle]! }, ...more } },
      clock.now(),
    )
  await deploy('old', 'old pickle', { environmentId: inImage, environment })
  const app = await deploy('new', 'new pickle', {
    environmentId: inFolder,
    files: [{ path: 'b', mode: 0o644, blob: bytes['file']! }],
  })

  const there = async () => {
    const all = new Set((await Promise.all(blobs.prefixes.map((prefix) => blobs.keysUnder(prefix)))).flat())
    const isThere = async (path: string) => (await registry.ask(`/v2/ann/environments/${path}`)).status === 200
    return {
      blobs: Object.keys(bytes).filter((text) => all.has(bytes[text]!)),
      folder: await places.has(inFolder!),
      image: (await store.read(imageOf(inImage!))) !== undefined,
      pushed: (await isThere(`manifests/${digest}`)) && (await isThere(`blobs/${layer}`)),
    }
  }
  const sweep = async () => {
    clock.advance(100 * day)
    for (let look = 0; look < 2; look += 1) {
      await sweepFiles({ blobs, environments, store, clock, log: silent }, never)
      const pinned = (digests: readonly string[]) => keptDigests({ store }, digests)
      await sweepImages({ store, clock, graceMs: day, pinned }, never)
    }
    return there()
  }

  const everything = { blobs: Object.keys(bytes), folder: true, image: true, pushed: true }
  expect(await sweep()).toEqual(everything)
  expect(await sweep()).toEqual(everything)
  expect(await store.commit(deleteRevision('old', clock.now()))).toBe(true)
  expect(await sweep()).toEqual({ blobs: ['new pickle', 'file'], folder: true, image: false, pushed: false })
  expect(await store.commit(deleteApp(app, clock.now()))).toBe(true)
  expect(await sweep()).toEqual({ blobs: [], folder: false, image: false, pushed: false })
})
