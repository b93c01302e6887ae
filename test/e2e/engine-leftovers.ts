import { DatabaseSync } from 'node:sqlite'
import type { Engine } from '../../packages/server/src/backends/docker/engine/engine.ts'

/**
 * Takes away what a server that has ended left in the engine that all tests share: its images' names, which an installation
 * keeps for its next start, and what one that was killed had running. Names that others gave an image stay, and the image then.
 */
export async function clearEngine(storeFile: string, port: number): Promise<void> {
  const installation = installationIn(storeFile)
  if (installation === undefined) return
  const { openEngine } = await import('../../packages/server/src/backends/docker/engine/engine.ts')
  const { labelsOfInstallation } = await import('../../packages/server/src/backends/docker/labels.ts')
  const { repositoryOf } = await import('../../packages/server/src/builder/image/names.ts')
  const { docker } = await openEngine()
  const label = Object.entries(labelsOfInstallation(installation)).map(([name, value]) => `${name}=${value}`)
  for (const { Id } of await docker.listContainers({ all: true, filters: { label } }))
    await gone(docker.getContainer(Id).remove({ force: true, v: true }))
  for (const { Id } of await docker.listNetworks({ filters: { label } })) await gone(docker.getNetwork(Id).remove())
  const isOurs = (name: string) =>
    [`${repositoryOf(installation)}:`, `127.0.0.1:${port}/`].some((a) => name.startsWith(a))
  for (const name of (await namesOf(docker)).filter(isOurs)) await gone(docker.getImage(name).remove())
  for (const { Id } of await docker.listImages({ filters: { label, dangling: ['true'] } }))
    await gone(docker.getImage(Id).remove())
}

/** Takes away the names by which images of a registry that has ended are in the engine. */
export async function forgetRegistry(host: string): Promise<void> {
  const { openEngine } = await import('../../packages/server/src/backends/docker/engine/engine.ts')
  const { docker } = await openEngine()
  for (const name of (await namesOf(docker)).filter((each) => each.startsWith(`${host}/`)))
    await gone(docker.getImage(name).remove())
}

async function namesOf(docker: Engine['docker']): Promise<readonly string[]> {
  const images = await docker.listImages()
  return images.flatMap(({ RepoTags, RepoDigests }) => [...(RepoTags ?? []), ...(RepoDigests ?? [])])
}

/** Undefined where no server came so far, and where the store is no file. */
function installationIn(storeFile: string): string | undefined {
  try {
    using store = new DatabaseSync(storeFile, { readOnly: true })
    return store.prepare("select value from installation where name = 'id'").get()?.['value'] as string | undefined
  } catch {
    return undefined
  }
}

/** What is gone already, or others use, is no matter. */
const gone = (work: Promise<unknown>): Promise<unknown> => work.catch(() => {})
