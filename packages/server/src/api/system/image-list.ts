import { imagesOfDockerfile } from '../../domain/dockerfile-images.ts'
import { parseImageName, wholeImageName } from '../../domain/image-reference.ts'
import type { EnvironmentDefinition } from '../../domain/revision.ts'
import type { Moment } from '../../kit/clock.ts'
import { present } from '../../store/rows.ts'
import { type EnvironmentImage, keptImages, type KeptImage } from '../../store/environment-images.ts'
import { imageBytes, type ImageUser, imageUsers } from '../../store/image-users.ts'
import { type ImportedImage, importedImages } from '../../store/imported-images.ts'
import type { Deps } from '../deps.ts'

/** A revision that needs an image. */
export type User = Pick<ImageUser, 'app' | 'revisionId'>

interface Listed {
  /** As deploys, the engine or the platform call it. */
  readonly name: string
  readonly digest?: string
  /** In the registry where that has it, else in the engine. With what it shares with others. */
  readonly bytes?: number
  readonly createdAt?: Moment
  readonly usedBy: readonly User[]
}

/** An image that this installation has. */
export type ListedImage = Listed &
  (
    | { readonly kind: 'imported'; readonly imported: ImportedImage }
    /** What environments were built on, and the engine or its operator brought. */
    | { readonly kind: 'base' }
    | { readonly kind: 'environment'; readonly image: EnvironmentImage }
  )

type Parts = Pick<Deps, 'store' | 'engineImages'>

/** All of them: imported ones, bases, environments, each in the order of its names. */
export async function imagesOf(parts: Parts): Promise<readonly ListedImage[]> {
  const { store } = parts
  const [imports, kept] = await Promise.all([store.read(importedImages()), store.read(keptImages())])
  const bases = basesOf(kept, imports)
  const usedBy = await usersOf(store, kept, [...imports, ...bases.map((name) => ({ name }))])
  const listed: ListedImage[] = []
  for (const { importedAt, ...imported } of imports) {
    const { name, repository, digest } = imported
    const bytes = await store.read(imageBytes(repository, digest))
    const told = { name, digest, ...present('bytes', bytes), createdAt: importedAt, usedBy: usedBy(name) }
    listed.push({ kind: 'imported', ...told, imported })
  }
  for (const name of bases) listed.push(await base(parts, name, usedBy(name)))
  for (const each of kept) listed.push(await environment(parts, each, usedBy(each.id)))
  return listed
}

/** By which revisions each is needed: an environment by its id, anything else by its name. */
async function usersOf(store: Deps['store'], kept: readonly KeptImage[], named: readonly Needed[]) {
  const known = new Map(kept.map(({ id, image }) => [id, image]))
  const users = new Map<string, User[]>()
  for await (const { app, revisionId, environmentId, environment: definition } of imageUsers(store)) {
    const isNeeded = needed(definition, known.get(environmentId))
    for (const name of [environmentId, ...named.filter(isNeeded).map((each) => each.name)])
      users.set(name, [...(users.get(name) ?? []), { app, revisionId }])
  }
  return (name: string): readonly User[] => users.get(name) ?? []
}

/** By which names environments were built on something that was not imported. */
function basesOf(kept: readonly KeptImage[], imports: readonly ImportedImage[]): readonly string[] {
  const names = new Set(kept.flatMap(({ image }) => wholeImageName(image.base ?? '') ?? []))
  for (const { name } of imports) names.delete(name)
  return [...names].toSorted()
}

async function base({ engineImages }: Parts, name: string, usedBy: readonly User[]): Promise<ListedImage> {
  const found = await engineImages?.find(name)
  if (found === undefined) return { kind: 'base', name, usedBy }
  return { kind: 'base', name, digest: found.id, bytes: found.bytes, createdAt: found.createdAt, usedBy }
}

async function environment(
  { store, engineImages }: Parts,
  { id, image, builtAt }: KeptImage,
  usedBy: readonly User[],
): Promise<ListedImage> {
  const [repository = '', digest] = image.pushed?.split('@') ?? []
  const stored = digest === undefined ? undefined : await store.read(imageBytes(repository, digest))
  // In a registry of the operator's it is theirs to count.
  const bytes = stored ?? (await engineImages?.find(image.imageId))?.bytes
  const told = { digest: digest ?? image.imageId, ...present('bytes', bytes), createdAt: builtAt }
  return { kind: 'environment', name: id, ...told, usedBy, image }
}

interface Needed {
  readonly name: string
  readonly digest?: string
}

/** Whether another build of an environment may begin with an image. `built` is what is known of the last one. */
function needed(definition: EnvironmentDefinition, built: EnvironmentImage | undefined): (image: Needed) => boolean {
  const builtOn = wholeImageName(built?.base ?? '')
  const ofSource = neededBySource(definition)
  return (image) => image.name === builtOn || ofSource(image)
}

function neededBySource(definition: EnvironmentDefinition): (image: Needed) => boolean {
  if (definition.kind !== 'container' || definition.source.from === 'base') return () => false
  if (definition.source.from === 'dockerfile') {
    const images = imagesOfDockerfile(definition.source.dockerfile, definition.source.buildArgs)
    return ({ name }) => images.some((names) => names(name))
  }
  const { reference } = definition.source
  const asked = parseImageName(reference)?.digest
  const whole = wholeImageName(reference)
  return ({ name, digest }) => (asked === undefined ? whole === name : asked === digest)
}
