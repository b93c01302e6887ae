import { openEngine } from './backends/docker/engine/engine.ts'
import { findPythons } from './builder/pythons.ts'
import type { Config } from './config.ts'

/**
 * The newest Python of this machine, as `3.12`, whose base image the engine has already: with any other one the image
 * has to be pulled. Undefined where it has none.
 */
export async function pythonWithBaseImage(config: Pick<Config, 'CARRICK_BASE_IMAGE'>): Promise<string | undefined> {
  const { docker } = await openEngine()
  const names = new Set((await docker.listImages()).flatMap(({ RepoTags }) => RepoTags ?? []))
  const variables = Object.entries(process.env).filter((each): each is [string, string] => each[1] !== undefined)
  const pythons = (await findPythons(Object.fromEntries(variables))).map(({ minor }) => minor)
  return pythons.findLast((minor) => names.has(config.CARRICK_BASE_IMAGE.replaceAll('{version}', minor)))
}
