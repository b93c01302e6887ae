import type Docker from 'dockerode'
import type { Prune, Pruned } from './api/system/prune.ts'
import { labelsOfInstallation } from './backends/docker/labels.ts'

/**
 * What this installation left in its engine, by its labels and by nothing else: containers that ended, and images without a
 * name. Networks go by themselves; the engine's build cache is not told apart by whose it is, and stays.
 */
export function pruneEngine(engine: Docker, installation: string): Prune {
  const label = Object.entries(labelsOfInstallation(installation)).map(([name, value]) => `${name}=${value}`)

  async function containers(before: number): Promise<readonly { Id: string; Names: string[] }[]> {
    const ended = ['exited', 'dead', 'created']
    const found = await engine.listContainers({ all: true, filters: { label, status: ended } })
    return found.filter(({ Created }) => Created * 1_000 < before)
  }

  return async ({ before, dryRun }) => {
    const pruned: Pruned[] = []
    for (const { Id, Names } of await containers(before)) {
      if (!dryRun && !(await done(engine.getContainer(Id).remove({ v: true })))) continue
      pruned.push({ kind: 'container', name: Names[0]?.replace(/^\//, '') ?? Id, count: 1 })
    }
    const images = await engine.listImages({ filters: { label, dangling: ['true'] } })
    for (const { Id, Size, Created } of images.filter((image) => image.Created * 1_000 < before)) {
      if (!dryRun && !(await done(engine.getImage(Id).remove({})))) continue
      pruned.push({ kind: 'image', name: `${Id} of ${new Date(Created * 1_000).toISOString()}`, count: 1, bytes: Size })
    }
    return pruned
  }
}

/** One that is in use, or gone by now, is no matter. */
const done = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  )
