import type { PushEngine } from '../registry/image-registry.ts'
import type { Push, PushedImage } from '../builder/image/push.ts'
import type { AccountId } from '../domain/ids.ts'
import type { ImageRegistry } from '../registry/image-registry.ts'
import { forgetPushed } from '../registry/push.ts'
import { accountById } from '../store/accounts.ts'
import { keptImages } from '../store/environment-images.ts'
import type { Store } from '../store/store.ts'

interface WithStore {
  readonly store: Store
}

/** All environments of an owner are images of one repository, so that what they share is pushed and kept once. */
const repositoryName = 'environments'

/** How the images that are built get to the registry: those of requirements are nobody's alone, all others an account's. */
export function pushTo(registry: ImageRegistry, engine: PushEngine, { store }: WithStore): Push {
  /** Went ahead since the start, by repository and image: it is there, or was, and the next push tells which. */
  const sent = new Set<string>()

  async function repositoryOf(accountId: AccountId | undefined): Promise<string> {
    const owner = accountId === undefined ? undefined : (await store.read(accountById(accountId)))?.nickname
    return registry.nameFor(owner, repositoryName)
  }
  async function pushInto(repository: string, { image, onLine, signal }: PushedImage): Promise<string> {
    return `${repository}@${await registry.push(engine, image, repository, { onLine, signal })}`
  }
  const forget = (stored: string) => forgetPushed(engine, registry.referenceOf(stored), stored)

  return {
    push: async (image) => pushInto(await repositoryOf(image.accountId), image),
    async ahead(image) {
      const repository = await repositoryOf(image.accountId)
      const name = `${repository} ${image.image}`
      if (sent.has(name)) return
      const stored = await pushInto(repository, image)
      sent.add(name)
      // It may be an environment by itself, whose runners start by this name.
      const kept = await store.read(keptImages())
      if (!kept.some(({ image: { pushed } }) => pushed === stored)) await forget(stored)
    },
    referenceOf: (stored) => registry.referenceOf(stored),
    forget,
    async has(stored) {
      const { repository, digest } = partsOf(stored)
      // Whoever cannot be asked is believed to keep what it was given; who pulls is told otherwise.
      return (await registry.has?.(repository, digest)) ?? true
    },
  }
}

/** Which of these digests an environment is kept by: the registry gives none of them up. */
export async function keptDigests({ store }: WithStore, digests: readonly string[]): Promise<ReadonlySet<string>> {
  const images = await store.read(keptImages())
  const kept = new Set(
    images.flatMap(({ image: { pushed } }) => (pushed === undefined ? [] : [partsOf(pushed).digest])),
  )
  return new Set(digests.filter((digest) => kept.has(digest)))
}

function partsOf(stored: string): { readonly repository: string; readonly digest: string } {
  const [repository = '', digest = ''] = stored.split('@')
  return { repository, digest }
}
