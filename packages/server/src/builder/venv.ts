import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CarrickError } from '../domain/errors.ts'
import type { FolderDefinition } from '../domain/revision.ts'
import type { SecretValues } from '../domain/secret.ts'
import { ourPackages } from './definition.ts'
import { filled, masking } from './filling.ts'
import { gitConfiguration, withoutCredentials } from './git-credentials.ts'
import { runProgram } from './program.ts'
import { unfillFolder } from './unfill-folder.ts'

/** What makes a folder with an interpreter in it, on top of which the requirements go. */
export interface Base {
  readonly command: readonly string[]
  readonly args: readonly string[]
  /** The folder that it is started in. */
  readonly from: string
}

export interface VenvOptions {
  readonly base: Base
  /** The command that starts uv. */
  readonly uv: readonly string[]
  /** Where the environment is and stays: it cannot be moved. */
  readonly folder: string
  readonly definition: FolderDefinition
  /** Those that the definition names, and no others. */
  readonly secrets: SecretValues
  /** Ask the index again about everything. */
  readonly refresh: boolean
  readonly variables: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

/**
 * Makes an environment: its base, then one layer after the other. Rejects with `build_failed` and the words of what failed.
 * Where secrets are filled in, they are in no word and in no file that stays.
 */
export async function makeVenv(options: VenvOptions): Promise<void> {
  const { folder, secrets } = options
  if (Object.keys(secrets).length === 0) return installAll(options)
  // What the installer keeps of a download names its address, with the secret in it: such builds share nothing.
  const cache = join(folder, '.cache')
  const gitFile = `${folder}.git-credentials` // beside the folder, which a base may want empty
  try {
    const variables = { ...options.variables, UV_CACHE_DIR: cache, ...(await gitVariables(gitFile, options)) }
    await installAll({ ...options, variables })
  } finally {
    await Promise.all([cache, gitFile].map((path) => rm(path, { recursive: true, force: true })))
  }
  await unfillFolder(folder, secrets)
}

/** Git shows what it is asked for in its arguments, so it is asked without passwords, and reads them in a file. */
async function gitVariables(file: string, { definition, secrets }: VenvOptions): Promise<Record<string, string>> {
  const requirements = definition.layers.flat().map((requirement) => filled(requirement, secrets))
  const configuration = gitConfiguration(requirements)
  if (configuration === '') return {}
  await writeFile(file, configuration, { mode: 0o600 })
  return { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'include.path', GIT_CONFIG_VALUE_0: file }
}

async function installAll(options: VenvOptions): Promise<void> {
  const { base, definition } = options
  await runTool(base, options)
  const layers = definition.layers.length > 0 ? definition.layers : [[]]
  for (const [index, layer] of layers.entries()) {
    const isLast = index === layers.length - 1
    await install(layer, isLast && definition.compileBytecode, options)
  }
}

/** Our packages are in every layer's resolution, so that no layer takes them away and a conflict is explained. */
async function install(layer: readonly string[], compile: boolean, options: VenvOptions): Promise<void> {
  const { folder, secrets, refresh, uv } = options
  const hasSecrets = Object.keys(secrets).length > 0
  const requirements = layer
    .map((requirement) => filled(requirement, secrets))
    .map((requirement) => (hasSecrets ? withoutCredentials(requirement) : requirement))
  const input = [...ourPackages, ...requirements, ''].join('\n')
  const flags = [...(compile ? ['--compile-bytecode'] : []), ...(refresh ? ['--refresh'] : [])]
  // By its standard input: files, arguments and variables could be read by others.
  const args = ['pip', 'install', '--python', join(folder, 'bin/python'), ...flags, '--requirements', '-']
  await runTool({ command: uv, args, from: folder }, options, input)
}

async function runTool({ command, args, from }: Base, options: VenvOptions, input = ''): Promise<void> {
  const { variables, onLine, signal } = options
  const masked = masking(options.secrets)
  const said: string[] = []
  const hear = (spoken: string) => {
    if (spoken.startsWith('Using Python ')) return // a path that means nothing to whoever reads this
    const line = masked(spoken)
    said.push(line)
    onLine(line)
  }
  const [program = '', ...before] = command
  if (!(await runProgram(program, [...before, ...args], { variables, folder: from, input, onLine: hear, signal })))
    throw failure(said)
}

const progress =
  /^(?:Resolved|Prepared|Installed|Uninstalled|Audited|Downloading|Downloaded|Building|Built|Updating|Updated) /
const mostLines = 60
const mostCharacters = 5_500

function failure(said: readonly string[]): CarrickError {
  const words = said
    .filter((line) => !progress.test(line.trimStart()))
    .slice(-mostLines)
    .join('\n')
    .slice(-mostCharacters)
  if (/no space left on device|os error 28|disk quota exceeded/i.test(words)) {
    return new CarrickError(
      'disk_full',
      `The disk is full: the environment was not built. Make room and deploy again.\n${words}`,
    )
  }
  return new CarrickError('build_failed', `The environment could not be built:\n${words}`)
}
