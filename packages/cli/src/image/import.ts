import { ImportedImage } from '@carrick/protocol/rest'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { size } from '../archive.ts'
import { ask } from '../ask.ts'
import { connectTo, type Connection } from '../connection.ts'
import { print } from '../output.ts'
import type { Where } from '../where.ts'
import { contentsOf, eachEntry } from './archive.ts'
import { imagesIn, wholeName, type ArchivedImage, type Contents, type Piece } from './layout.ts'
import { Repository, type Stored } from './registry.ts'

interface Flags extends Where {
  readonly name?: string
  readonly json?: boolean
}

/** The engine may have to fetch all of it. */
const patienceMs = 10 * 60_000

/** `carrick image import FILE`: the images of an archive go to the server's registry, and deploys find them by their names. */
export async function importImages(file: string, flags: Flags): Promise<void> {
  const connection = await connectTo(flags)
  const contents = await contentsOf(file)
  const images = named(imagesIn(contents), flags.name)
  const imported: ImportedImage[] = []
  for (const { image, names } of images)
    for (const name of names) imported.push(await importOne(connection, { file, contents, image, name }))
  const text = imported.map(
    ({ name, repository, digest, engine }) => `${name} is ${repository}@${digest}${engine ? '' : noEngine}`,
  )
  print({ text: text.join('\n'), json: { images: imported } }, flags)
}

const noEngine = '. This server has no container engine: deploys use it once it runs with --backend docker'

function named(images: readonly ArchivedImage[], name: string | undefined) {
  if (images.length === 0) throw new Error('there is no image in the archive')
  if (name !== undefined) {
    const [image, ...more] = images
    if (image === undefined || more.length > 0)
      throw new Error(`there are ${images.length} images in the archive: leave --name out`)
    return [{ image, names: [wholeName(name)] }]
  }
  if (images.some(({ names }) => names.length === 0))
    throw new Error(
      'the archive does not say what its image is called: give it a name with --name, such as python:3.11-slim',
    )
  return images.map((image) => ({ image, names: [...new Set(image.names.map(wholeName))] }))
}

interface One {
  readonly file: string
  readonly contents: Contents
  readonly image: ArchivedImage
  readonly name: string
}

async function importOne(connection: Connection, { file, contents, image, name }: One): Promise<ImportedImage> {
  const colon = name.lastIndexOf(':')
  const path = `${connection.nickname}/imported/${name.slice(0, colon).replaceAll(':', '_').toLowerCase()}`
  const repository = await Repository.open(connection, path)
  const stored = await storePieces(repository, file, contents, image)
  const manifest = image.manifest ?? manifestOf(image, stored)
  const digest = await repository.putManifest(manifest.bytes, manifest.mediaType, name.slice(colon + 1))
  console.error(
    `${name}: ${stored.size} parts, ${size([...stored.values()].reduce((sum, each) => sum + each.size, 0))}`,
  )
  const said = await ask(connection, '/v1/images', { name, repository: path, digest }, 'POST', patienceMs)
  return ImportedImage.parse(said)
}

/** In the order of the archive, because it can be read in no other. */
async function storePieces(repository: Repository, file: string, contents: Contents, image: ArchivedImage) {
  const wanted = new Map<string, Piece>([image.config, ...image.layers].map((piece) => [piece.path, piece]))
  const stored = new Map<string, Stored>()
  await eachEntry(file, async ({ name, type, size: length }, content) => {
    const piece = wanted.get(name.replace(/^\.\//, ''))
    if (piece === undefined || type !== 'file') return
    const { digest } = piece
    if (digest !== undefined && (await repository.has(digest))) {
      stored.set(piece.path, { digest, size: length })
      return
    }
    const isLoose = image.manifest === undefined && piece !== image.config
    const bytes = isLoose ? Readable.from(content, { objectMode: false }).pipe(createGzip({ level: 5 })) : content
    stored.set(piece.path, await repository.put(bytes, digest))
  })
  for (const { path } of wanted.values())
    if (!stored.has(path))
      throw new Error(`the archive is not whole: ${path} is missing in it (${contents.files.size} files)`)
  return stored
}

/** Of an archive of old, which has none. */
function manifestOf({ config, layers }: ArchivedImage, stored: ReadonlyMap<string, Stored>) {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const described = (piece: Piece) => {
    const { digest = '', size: length = 0 } = stored.get(piece.path) ?? {}
    return { mediaType: piece.mediaType, digest, size: length }
  }
  const manifest = { schemaVersion: 2, mediaType, config: described(config), layers: layers.map(described) }
  return { bytes: Buffer.from(JSON.stringify(manifest)), mediaType }
}
