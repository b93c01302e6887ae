import { mkdir, rm } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { CarrickError } from '../domain/errors.ts'
import { takeFileLock } from '../kit/file-lock.ts'
import { askProgram, runProgram } from './program.ts'
import { findPythons } from './pythons.ts'

export interface UvOptions {
  /** Where uv is kept when the machine has none. */
  readonly toolsFolder: string
  readonly variables: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

/** Older ones lack options that we use. */
const oldest = [0, 5]

/** The full path of a uv that runs: one on the PATH, one installed before, or one from the Python index. */
export async function provideUv(options: UvOptions): Promise<string> {
  const own = join(options.toolsFolder, 'uv')
  for (const candidate of [...onPath(options.variables), join(own, 'bin/uv')]) {
    if (await isUsable(candidate, options.variables)) return candidate
  }
  await install(own, options)
  return join(own, 'bin/uv')
}

function onPath(variables: Readonly<Record<string, string>>): string[] {
  const folders = (variables['PATH'] ?? '').split(delimiter)
  return folders.filter((folder) => isAbsolute(folder)).map((folder) => join(folder, 'uv'))
}

/** A name on the PATH may be a shim with nothing behind it. */
async function isUsable(uv: string, variables: Readonly<Record<string, string>>): Promise<boolean> {
  const [, major, minor] = /^uv (\d+)\.(\d+)/.exec((await askProgram(uv, ['--version'], variables)) ?? '') ?? []
  if (major === undefined) return false
  return Number(major) > oldest[0]! || Number(minor) >= oldest[1]!
}

/** One process at a time: several servers and commands may share the folder. */
async function install(folder: string, { toolsFolder, variables, onLine, signal }: UvOptions): Promise<void> {
  const python = await pythonWithVenv(variables)
  await mkdir(toolsFolder, { recursive: true })
  const onWait = () => onLine('Waiting for another carrick process, which installs uv')
  using _lock = await takeFileLock(join(toolsFolder, 'uv.lock.sqlite'), { onWait, signal })
  if (await isUsable(join(folder, 'bin/uv'), variables)) return
  await rm(folder, { recursive: true, force: true })
  onLine('Installing uv, which builds environments (once)')
  const said: string[] = []
  const program = { variables, folder: toolsFolder, onLine: (line: string) => said.push(line), signal }
  const isInstalled =
    (await runProgram(python, ['-m', 'venv', folder], program)) &&
    (await runProgram(join(folder, 'bin/python'), ['-m', 'pip', 'install', '--no-input', 'uv'], program)) &&
    (await isUsable(join(folder, 'bin/uv'), variables))
  if (isInstalled) return
  throw new CarrickError(
    'build_failed',
    `uv, which builds environments, could not be installed:\n${said.slice(-20).join('\n')}`,
  )
}

/** Debian's Python comes without the module, and says so only when an environment is half made. */
async function pythonWithVenv(variables: Readonly<Record<string, string>>): Promise<string> {
  for (const { path } of (await findPythons(variables)).toReversed()) {
    if ((await askProgram(path, ['-I', '-c', 'import ensurepip, venv'], variables)) !== undefined) return path
  }
  throw new CarrickError(
    'build_failed',
    'uv, which builds environments, cannot be installed, because no Python here has the venv module. ' +
      'Run `apt-get install -y python3-venv` where the server runs, then deploy again.',
  )
}
