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
    expect(lines.join('\n')).toMatch(/\[stage-0 3\/4\] Installing requirements\n[\s\S]*six==1\.16\.0/)
    expect(lines.join('\n')).not.toContain('--mount')
    const { Config } = await there.engine.getImage(image).inspect()
    expect(Config.Labels).toMatchObject({ 'carrick.environment': id, 'carrick.installation': there.installation })
    const sbom = JSON.parse((await builder.sbomOf(id)) ?? '')
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
