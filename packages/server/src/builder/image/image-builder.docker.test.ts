import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  baseImage,
  container,
  dockerfile,
  openTestBuilders,
  runIn,
  start,
  withLayers,
  type TestBuilders,
} from '../../testing/image-builders.ts'
import { startPackageServer } from '../../testing/package-server.ts'
import type { Push, PushedImage } from './push.ts'
import { sbomOf } from '../../store/environment-images.ts'
import type { ImageBuilder } from './image-builder.ts'

let there: TestBuilders

beforeEach(async () => {
  there = await openTestBuilders()
})
afterEach(async () => {
  await there[Symbol.asyncDispose]()
})

const python = '/opt/carrick/venv/bin/python'

async function imageOf(builder: ImageBuilder, id: string): Promise<string> {
  const place = await builder.placeOf(id)
  return place.kind === 'image' ? place.reference : ''
}

const layersOf = async (image: string) => (await there.engine.getImage(image).inspect()).RootFS.Layers ?? []

describe('requirements', () => {
  test('become an image: a layer for each list, the interpreter at a path that stays, and nothing of the build', async () => {
    const builder = await there.open()
    const { built, lines } = start(builder, withLayers(['six==1.16.0'], ['idna']))
    const id = await built
    expect(await builder.placeOf(id)).toMatchObject({ kind: 'image', python })
    const image = await imageOf(builder, id)
    const onTop = (await layersOf(image)).length - (await layersOf(baseImage)).length
    expect(onTop).toBe(3) // the environment, and two lists
    const code = 'import six, idna, cloudpickle, grpc, os; print(six.__version__, os.path.exists("/dev/carrick"))'
    expect(await runIn(there.engine, image, [python, '-c', code])).toBe('1.16.0 False')
    expect(lines.join('\n')).toMatch(/\[(?:stage-0 )?3\/4\] Installing requirements\n[\s\S]*six==1\.16\.0/)
    expect(lines.join('\n')).not.toContain('--mount')
    const { Config } = await there.engine.getImage(image).inspect()
    expect(Config.Labels).toMatchObject({ 'carrick.environment': id, 'carrick.installation': there.installation })
    const sbom = JSON.parse((await there.store.read(sbomOf(id)))?.sbom ?? '')
    expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' })
    const purls = sbom.components.map(({ purl }: { purl: string }) => purl)
    expect(purls).toContain('pkg:pypi/six@1.16.0')
    expect(purls).toContainEqual(expect.stringMatching(/^pkg:deb\/libc6@/))
  })

  test('are built once by callers that ask at the same time, and never again, also after a start', async () => {
    const builder = await there.open()
    const both = [start(builder, withLayers(['six'])), start(builder, withLayers(['six']))]
    const [one, other] = await Promise.all(both.map(({ built }) => built))
    expect(one).toBe(other)
    expect(both[0]?.lines).toEqual(both[1]?.lines)
    expect(await there.names()).toHaveLength(1)
    const image = await imageOf(builder, one!)

    const later = await there.open()
    expect(await later.has(one!)).toBe(true)
    const again = start(later, withLayers(['six']))
    expect(await again.built).toBe(one)
    expect(again.lines).toEqual([])
    expect(await imageOf(later, one!)).toBe(image)
  })

  test('of two accounts are two, and what the builds of one leave in a cache the other never sees', async () => {
    const builder = await there.open()
    const builds = ['one', 'other'].map((accountId) => start(builder, withLayers(['six']), { accountId }))
    const [one, other] = await Promise.all(builds.map(({ built }) => built))
    expect(one).not.toBe(other)
    expect(await imageOf(builder, one!)).not.toBe(await imageOf(builder, other!))
  })

  // The engine makes these files for each step where an image has none, and what it changes of /etc is in the layer.
  const named = dockerfile(`FROM ${baseImage}\nCOPY hosts resolv.conf /etc/\n`, {
    context: ['hosts', 'resolv.conf'].map((path) => ({ path, mode: 0o644, blob: '/dev/null' })),
  })

  test('built twice without any cache are the same layers: images differ by the moments in their histories alone', async () => {
    const builder = await there.open()
    const definition = container(named, { layers: [['six==1.16.0']], compileBytecode: true })
    const first = await imageOf(builder, await start(builder, definition).built)
    const [, , ...layers] = await layersOf(first)
    const forced = start(builder, definition, { force: true })
    const second = await imageOf(builder, await forced.built)
    expect(forced.lines.join('\n')).toContain('Installing requirements')
    expect(second).not.toBe(first)
    expect((await layersOf(second)).slice(2)).toEqual(layers)
    expect(await there.names()).toHaveLength(1) // the former one is nobody's
  })

  test('that cannot be had fail with the words of the installer, and leave nothing', async () => {
    const builder = await there.open()
    const { built } = start(builder, withLayers(['six==99.99']))
    await expect(built).rejects.toMatchObject({
      code: 'build_failed',
      message: expect.stringMatching(/could not be built[\s\S]*six==99\.99/),
    })
    expect(await there.names()).toEqual([])
  })

  test('go on a Python of the version that was asked for, and on no other', async () => {
    const builder = await there.open({ baseImage })
    const { built } = start(builder, { ...withLayers(['six']), pythonVersion: '3.12' })
    await expect(built).rejects.toMatchObject({
      message: expect.stringMatching(/Python 3\.12 was asked for, and the base image .* has Python 3\.11/),
    })
  })

  test('name secrets that are in no line, no layer, no history and no id', async () => {
    const bridge: { IPAM?: { Config?: { Gateway?: string }[] } } = await there.engine.getNetwork('bridge').inspect()
    const packages = await startPackageServer(bridge.IPAM?.Config?.[0]?.Gateway ?? '172.17.0.1')
    try {
      packages.open()
      const builder = await there.open()
      const definition = withLayers([packages.requirement('${TOKEN}')])
      const secrets = { TOKEN: 'canary-in-a-requirement' }
      const { built, lines } = start(builder, definition, { secrets })
      const image = await imageOf(builder, await built)
      expect(new Set(packages.asked())).toEqual(new Set(['/canary-in-a-requirement/gated-1.0-py3-none-any.whl']))
      expect(await runIn(there.engine, image, [python, '-c', 'import gated; print(gated.value)'])).toBe('1')
      expect(lines.join('\n')).toContain('****')
      expect(lines.join('\n')).not.toContain(secrets.TOKEN)
      const seen = await wordsIn(await there.engine.getImage(image).get(), [secrets.TOKEN, '/${TOKEN}/gated'])
      expect(seen).toEqual(['/${TOKEN}/gated']) // so the other would be seen
      const other = start(builder, definition, { secrets: { TOKEN: 'another' } })
      expect(await other.built).not.toBe(await built)
      expect(packages.asked()).toContain('/another/gated-1.0-py3-none-any.whl')
    } finally {
      await packages.close()
    }
  })

  test('are pushed where they are to go, and named by what they are there; what goes is named nowhere any more', async () => {
    const repository = `carrick-test-${there.installation}/environments`
    const pushed: PushedImage[] = []
    const ahead: string[] = []
    const push: Push = {
      async ahead({ image }) {
        ahead.push(image)
        throw new Error('what goes ahead need not get there')
      },
      async push(image) {
        pushed.push(image)
        await there.engine.getImage(image.image).tag({ repo: `127.0.0.1:1/${repository}`, tag: 'push-1' })
        return `${repository}@sha256:${'1'.repeat(64)}`
      },
      referenceOf: (stored) => `127.0.0.1:1/${stored}`,
      forget: async () => await there.engine.getImage(`127.0.0.1:1/${repository}:push-1`).remove(),
      has: async () => false,
    }
    const builder = await there.open({ push })
    const id = await start(builder, withLayers(['six'])).built
    expect(pushed).toMatchObject([{ environment: id }])
    expect(ahead).toEqual([(await there.engine.getImage(baseImage).inspect()).Id])
    expect(await imageOf(builder, id)).toBe(`127.0.0.1:1/${repository}@sha256:${'1'.repeat(64)}`)
    expect(await builder.has(id)).toBe(true)
    expect(await builder.sweep(new Set(), Infinity)).toBe(1)
    const left = await there.engine.listImages({ filters: { reference: [`127.0.0.1:1/${repository}`] } })
    expect(left).toEqual([])
  })

  test('that nothing names and nobody asks for any more go, and what is named stays', async () => {
    const builder = await there.open()
    const id = await start(builder, withLayers(['six'])).built
    expect(await builder.sweep(new Set([id]), Infinity)).toBe(0)
    expect(await builder.sweep(new Set(), 0)).toBe(0)
    expect(await builder.has(id)).toBe(true)
    expect(await builder.sweep(new Set(), Infinity)).toBe(1)
    expect(await builder.has(id)).toBe(false)
    expect(await there.names()).toEqual([])
  })
})

describe('an image that is named', () => {
  test('is taken as it is, by its digest', async () => {
    const builder = await there.open()
    const id = await start(builder, container({ from: 'reference', reference: baseImage })).built
    expect(await builder.placeOf(id)).toEqual({
      kind: 'image',
      reference: (await there.engine.getImage(baseImage).inspect()).Id,
      python: expect.stringMatching(/^\/usr\/bin\/python3/),
    })
  })

  test('gets an environment on top of its own where there are requirements, and its packages are seen there', async () => {
    const builder = await there.open()
    const definition = container(
      { from: 'reference', reference: baseImage },
      { layers: [['six']], pythonVersion: '3.11' },
    )
    const image = await imageOf(builder, await start(builder, definition).built)
    expect(await runIn(there.engine, image, [python, '-c', 'import six, pip; print(pip.__file__)'])).toMatch(
      /^\/usr\/lib/,
    )
  })

  test('that is nowhere is told in the words of who was asked', async () => {
    const builder = await there.open()
    const reference = '127.0.0.1:1/nobody/nothing:v1'
    await expect(start(builder, container({ from: 'reference', reference })).built).rejects.toMatchObject({
      code: 'build_failed',
      message: expect.stringMatching(/127\.0\.0\.1:1\/nobody\/nothing:v1 could not be pulled.*refused/s),
    })
  })
})

/** Which of these a stream holds; they may stand on the edge of two pieces of it. */
async function wordsIn(stream: NodeJS.ReadableStream, words: readonly string[]): Promise<readonly string[]> {
  let rest: Buffer = Buffer.alloc(0)
  const found = new Set<string>()
  for await (const chunk of stream) {
    const seen: Buffer = Buffer.concat([rest, Buffer.from(chunk)])
    for (const word of words) if (seen.includes(word)) found.add(word)
    rest = seen.subarray(-100)
  }
  return words.filter((word) => found.has(word))
}
