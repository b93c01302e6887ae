import type Docker from 'dockerode'
import type { Prune, Pruned } from '../api/system/keeping.ts'
import { labelsOfInstallation } from '../backends/docker/labels.ts'

/**
 * What this installation left in its engine, by its labels and by nothing else: containers that ended, and images without a
 * name. Networks go by themselves; the engine's build cache is not told apart by whose it is, and stays.
 */
export function pruneEngine(engine: Docker, installation: string): Prune {
  const label = Object.entries(labelsOfInstallation(installation)).map(([name, value]) => `${name}=${value}`)

  /** Those that ended: the backend takes its own away at once, so these are left over. */
  async function containers(before: number) {
    const filters = { label, status: ['exited', 'dead', 'created'] }
    const found = await engine.listContainers({ all: true, filters })
    return found.filter(({ Created }) => Created * 1_000 < before)
  }

  /** Those that nothing names. One that was pulled by its digest has no tag, and a name all the same. */
  async function images(before: number) {
    const found = await engine.listImages({ filters: { label, dangling: ['true'] } })
    const isNameless = (names: readonly string[] | null | undefined) =>
      (names ?? []).every((name) => name.startsWith('<none>'))
    return found.filter(({ Created, RepoDigests }) => Created * 1_000 < before && isNameless(RepoDigests))
  }

  return async ({ before, dryRun }) => {
    const pruned: Pruned[] = []
    for (const { Id, Names } of await containers(before)) {
      if (!dryRun && !(await done(engine.getContainer(Id).remove({ v: true })))) continue
      pruned.push({ kind: 'container', name: Names[0]?.replace(/^\//, '') ?? Id, count: 1 })
    }
    for (const { Id, Size, Created } of await images(before)) {
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
