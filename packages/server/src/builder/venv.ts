import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CarrickError } from '../domain/errors.ts'
import type { EnvironmentDefinition } from '../domain/revision.ts'
import { ourPackages } from './definition.ts'
import { runProgram } from './program.ts'

export interface VenvOptions {
  /** The command that starts uv. */
  readonly uv: readonly string[]
  /** Full path of the interpreter. */
  readonly python: string
  /** Where the environment is and stays: it cannot be moved. */
  readonly folder: string
  readonly definition: EnvironmentDefinition
  /** Ask the index again about everything. */
  readonly refresh: boolean
  readonly variables: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

/** Makes a virtual environment, one layer after the other. Rejects with `build_failed` and the words of what failed. */
export async function makeVenv(options: VenvOptions): Promise<void> {
  const { folder, python, definition } = options
  await mkdir(folder, { recursive: true })
  await runUv(['venv', '--quiet', '--allow-existing', '--python', python, folder], options)
  const layers = definition.layers.length > 0 ? definition.layers : [[]]
  for (const [index, layer] of layers.entries()) {
    const isLast = index === layers.length - 1
    await install(layer, index, isLast && definition.compileBytecode, options)
  }
}

/** Our packages are in every layer's resolution, so that no layer takes them away and a conflict is explained. */
async function install(layer: readonly string[], index: number, compile: boolean, options: VenvOptions): Promise<void> {
  const { folder, refresh } = options
  const file = join(folder, `requirements-${index + 1}.txt`)
  await writeFile(file, [...ourPackages, ...layer, ''].join('\n'))
  const flags = [...(compile ? ['--compile-bytecode'] : []), ...(refresh ? ['--refresh'] : [])]
  await runUv(['pip', 'install', '--python', join(folder, 'bin/python'), ...flags, '--requirements', file], options)
}

async function runUv(args: readonly string[], { uv, folder, variables, onLine, signal }: VenvOptions): Promise<void> {
  const said: string[] = []
  const hear = (line: string) => {
    if (line.startsWith('Using Python ')) return // a path that means nothing to whoever reads this
    said.push(line)
    onLine(line)
  }
  const [program = 'uv', ...before] = uv
  if (!(await runProgram(program, [...before, ...args], { variables, folder, onLine: hear, signal })))
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
