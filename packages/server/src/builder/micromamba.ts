import { delimiter, isAbsolute, join } from 'node:path'
import { CarrickError } from '../domain/errors.ts'
import { askProgram } from './program.ts'

/**
 * The full path of a micromamba that runs: one on the PATH, or the one in the folder of tools. It is not in the Python
 * index, so it is not installed from there as uv is.
 */
export async function findMicromamba(
  toolsFolder: string,
  variables: Readonly<Record<string, string>>,
): Promise<string> {
  const own = join(toolsFolder, 'micromamba')
  const folders = (variables['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder))
  for (const candidate of [...folders.map((folder) => join(folder, 'micromamba')), own]) {
    if (/^\d+\.\d+/.test((await askProgram(candidate, ['--version'], variables)) ?? '')) return candidate
  }
  throw new CarrickError(
    'build_failed',
    'This app has an environment of the kind "conda", which micromamba builds, and there is no micromamba where the ' +
      `server runs. Put its program on the server's PATH or at ${own} (its documentation says where to get it) and ` +
      'deploy again; or use `requirements` (kind "virtualenv").',
  )
}
