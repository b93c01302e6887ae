import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { CondaDefinition } from '../domain/revision.ts'

/** Where packages come from when an app does not say. */
const usualChannel = 'conda-forge'

/** The arguments by which micromamba makes an environment. What they name was checked before. */
export function condaArguments(definition: CondaDefinition, place: { folder: string; root: string }): string[] {
  const { pythonVersion, packages } = definition
  const named = definition.channels.filter((channel) => channel !== 'nodefaults') // there are none here
  const channels = named.length > 0 ? named : [usualChannel]
  const places = ['--root-prefix', place.root, '--prefix', place.folder]
  const sources = ['--override-channels', ...channels.flatMap((channel) => ['--channel', channel])]
  return ['create', '--yes', ...places, ...sources, `python=${pythonVersion}`, ...packages]
}

/** Makes room for micromamba, which takes no folder that exists. Answers the folder to start it in. */
export async function clearFor(folder: string): Promise<string> {
  await rm(folder, { recursive: true, force: true })
  return dirname(folder)
}
