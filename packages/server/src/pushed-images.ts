import type { Push } from './builder/image/push.ts'
import type { Foundation } from './foundation.ts'
import type { ImageRegistry } from './registry/image-registry.ts'
import { accountById } from './store/accounts.ts'
import { keptImages } from './store/environment-images.ts'
import { manifestAt } from './store/registry.ts'

/** All environments of an owner are images of one repository, so that what they share is pushed and kept once. */
const repositoryName = 'environments'

/** How the images that are built get to the registry: those of requirements are nobody's alone, all others an account's. */
export function pushTo(registry: ImageRegistry, { store }: Pick<Foundation, 'store'>): Push {
  return {
    host: () => registry.host(),
    async to({ accountId }) {
      const owner = accountId === undefined ? undefined : (await store.read(accountById(accountId)))?.nickname
      const repository = registry.nameFor(owner, repositoryName)
      const credentials = registry.authFor(registry.referenceOf(repository))
      return { repository, ...(credentials === undefined ? {} : { credentials }) }
    },
    has: async (repository, digest) => (await store.read(manifestAt(repository, digest))) !== undefined,
  }
}

/** Which of these digests an environment is kept by: the registry gives none of them up. */
export async function keptDigests(
  { store }: Pick<Foundation, 'store'>,
  digests: readonly string[],
): Promise<ReadonlySet<string>> {
  const kept = new Set((await store.read(keptImages())).map(({ image }) => image.pushed?.digest))
  return new Set(digests.filter((digest) => kept.has(digest)))
}
