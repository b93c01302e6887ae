import { createHash } from 'node:crypto'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { createWriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'
import { describe, expect, test } from 'vitest'
import { contentsOf } from './archive.ts'
import { imagesIn, wholeName, type Contents } from './layout.ts'

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

/** An archive of these files, as it is understood. */
function contents(files: Readonly<Record<string, object | string>>, links: Record<string, string> = {}): Contents {
  const texts = Object.entries(files).map(
    ([name, text]) => [name, Buffer.from(typeof text === 'string' ? text : JSON.stringify(text))] as const,
  )
  return { texts: new Map(texts), files: new Set(Object.keys(files)), links: new Map(Object.entries(links)) }
}

describe('an archive of docker save', () => {
  const saved = [{ Config: 'c.json', RepoTags: ['python:3.11-slim'], Layers: ['a/layer.tar', 'b/layer.tar'] }]

  test('says its names, and one of its layers may stand for several', () => {
    const found = contents(
      { 'manifest.json': saved, 'c.json': {}, 'a/layer.tar': 'x' },
      { 'b/layer.tar': 'a/layer.tar' },
    )
    const [image] = imagesIn(found)
    expect(image?.names).toEqual(['python:3.11-slim'])
    expect(image?.layers.map(({ path }) => path)).toEqual(['a/layer.tar', 'a/layer.tar'])
  })

  test('of which a part is missing is refused', () => {
    expect(() => imagesIn(contents({ 'manifest.json': saved, 'c.json': {} }))).toThrow('a/layer.tar is missing')
    expect(() => imagesIn(contents({ 'something.json': {} }))).toThrow('no archive of images')
    expect(() => imagesIn(contents({ 'manifest.json': 'not JSON' }))).toThrow('cannot be read')
  })
})

describe('an OCI layout', () => {
  const image = 'application/vnd.oci.image.manifest.v1+json'
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digestOf('layer'), size: 5 }
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('config'), size: 6 }
  const at = (digest: string) => `blobs/${digest.replace(':', '/')}`
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: image, config, layers: [layer] })
  const described = { mediaType: image, digest: digestOf(manifest), size: manifest.length }
  const named = { ...described, annotations: { 'io.containerd.image.name': 'docker.io/library/python:3.11-slim' } }
  const parts = { [at(described.digest)]: manifest, [at(layer.digest)]: 'layer', [at(config.digest)]: 'config' }

  test('is stored as it is, under the name that it says', () => {
    const [found] = imagesIn(contents({ 'index.json': { manifests: [named] }, 'manifest.json': [], ...parts }))
    expect(found).toMatchObject({ names: ['docker.io/library/python:3.11-slim'], layers: [{ digest: layer.digest }] })
    expect(found?.manifest?.bytes.toString()).toBe(manifest)
  })

  test('for several machines gives the image that is in it whole, and nothing that is none', () => {
    const other = { ...described, digest: digestOf('for another machine') }
    const signature = JSON.stringify({ config, layers: [{ ...layer, mediaType: 'application/vnd.in-toto+json' }] })
    const attested = { mediaType: image, digest: digestOf(signature), size: signature.length }
    const index = JSON.stringify({ manifests: [other, described, attested] })
    const top = { ...named, mediaType: 'application/vnd.oci.image.index.v1+json', digest: digestOf(index) }
    const files = {
      'index.json': { manifests: [top] },
      [at(top.digest)]: index,
      [at(attested.digest)]: signature,
      ...parts,
    }
    expect(imagesIn(contents(files)).map(({ names }) => names)).toEqual([['docker.io/library/python:3.11-slim']])
  })

  test('whose image has a tag alone has no name', () => {
    const tagged = { ...described, annotations: { 'org.opencontainers.image.ref.name': '3.11-slim' } }
    expect(imagesIn(contents({ 'index.json': { manifests: [tagged] }, ...parts }))[0]?.names).toEqual([])
  })
})

test.each([
  ['python:3.11-slim', 'docker.io/library/python:3.11-slim'],
  ['python', 'docker.io/library/python:latest'],
  ['acme/tool:2', 'docker.io/acme/tool:2'],
  ['ghcr.io/acme/tool', 'ghcr.io/acme/tool:latest'],
  ['localhost:5000/tool:2', 'localhost:5000/tool:2'],
])('%s is %s', (name, whole) => expect(wholeName(name)).toBe(whole))

test.each(['Not A Name', '', 'a@sha256:b', '../x'])('%j is no name', (name) => {
  expect(() => wholeName(name)).toThrow('is not the name of an image')
})

test('an archive may be compressed, and what is none is said', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-layout-'))
  const file = join(folder.path, 'image.tar.gz')
  const tar = pack()
  tar.entry({ name: './manifest.json' }, '[]')
  tar.entry({ name: 'b/layer.tar', type: 'symlink', linkname: '../a/layer.tar' })
  tar.finalize()
  await pipeline(tar, createGzip(), createWriteStream(file))
  const found = await contentsOf(file)
  expect(found.texts.get('manifest.json')?.toString()).toBe('[]')
  expect(found.links.get('b/layer.tar')).toBe('a/layer.tar')
  await writeFile(file, Buffer.alloc(2_000, 'x'))
  await expect(contentsOf(file)).rejects.toThrow('no tar archive')
  await expect(contentsOf(join(folder.path, 'none'))).rejects.toThrow('ENOENT')
})
