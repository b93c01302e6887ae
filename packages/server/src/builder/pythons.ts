import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, isAbsolute, join } from 'node:path'
import { CarrickError } from '../domain/errors.ts'
import { askProgram } from './program.ts'

export interface Python {
  /** Full path of the interpreter itself, never of something that chooses one. */
  readonly path: string
  /** Such as `3.11`. */
  readonly minor: string
  /** Such as `3.11.7`. */
  readonly version: string
}

const tellAbout = `
import sys
print("%d.%d.%d" % sys.version_info[:3])
print(getattr(sys, "_base_executable", None) or sys.executable)
`

/** Answers of interpreters by path and time of change: asking costs a start of Python each. */
const known = new Map<string, Promise<Python | undefined>>()

/** The interpreters of this machine: of each minor version from 3.8 on the newest, oldest version first. */
export async function findPythons(variables: Readonly<Record<string, string>>): Promise<readonly Python[]> {
  const candidates = await Promise.all((await foldersOf(variables)).map(interpretersIn))
  const answers = await Promise.all([...new Set(candidates.flat())].map((path) => ask(path, variables)))
  const found = answers.flatMap((python) => (python !== undefined && numbers(python)[1] >= 8 ? [python] : []))
  const ordered = found.toSorted(
    (one, other) => numbers(one)[1] - numbers(other)[1] || numbers(other)[2] - numbers(one)[2],
  )
  return ordered.filter(({ minor }, index) => minor !== ordered[index - 1]?.minor)
}

/** The interpreter of a minor version. Throws `bad_request` with those that are here when there is none. */
export async function findPython(minor: string, variables: Readonly<Record<string, string>>): Promise<Python> {
  const pythons = await findPythons(variables)
  const python = pythons.find((candidate) => candidate.minor === minor)
  if (python !== undefined) return python
  const found = pythons.length > 0 ? `only ${pythons.map(({ version }) => version).join(', ')}` : 'no Python at all'
  throw new CarrickError(
    'bad_request',
    `Python ${minor} was asked for, but this machine has ${found}. ` +
      `Install it where the server runs (\`pyenv install ${minor}\` is one way), or deploy with a version that is there.`,
  )
}

/** Where interpreters are looked for, first choice first. */
async function foldersOf(variables: Readonly<Record<string, string>>): Promise<string[]> {
  const home = variables['HOME'] ?? '/'
  const pyenv = join(variables['PYENV_ROOT'] ?? join(home, '.pyenv'), 'versions')
  const onPath = (variables['PATH'] ?? '')
    .split(':')
    .filter((folder) => isAbsolute(folder) && basename(folder) !== 'shims')
  const versions = await Promise.all([pyenv, '/opt/python', join(home, '.local/share/uv/python')].map(binFoldersBelow))
  return [...new Set([...onPath, ...versions.flat(), '/usr/local/bin', '/usr/bin'])]
}

async function binFoldersBelow(folder: string): Promise<string[]> {
  return ['bin', ...(await namesIn(folder)).map((name) => join(name, 'bin'))].map((bin) => join(folder, bin))
}

async function interpretersIn(folder: string): Promise<string[]> {
  const names = (await namesIn(folder)).filter((name) => /^python3(\.\d+)?$/.test(name))
  return Promise.all(names.toSorted().map((name) => realInterpreter(join(folder, name))))
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => [])
}

/** One interpreter often has many names. */
async function realInterpreter(path: string): Promise<string> {
  return await realpath(path).catch(() => path)
}

async function ask(path: string, variables: Readonly<Record<string, string>>): Promise<Python | undefined> {
  const changed = (await stat(path).catch(() => undefined))?.mtimeMs
  if (changed === undefined) return undefined
  const key = `${path} ${changed}`
  const answer = known.get(key) ?? askAnew(path, variables)
  known.set(key, answer)
  const python = await answer
  if (python === undefined) known.delete(key) // the machine may only have been busy
  return python
}

async function askAnew(path: string, variables: Readonly<Record<string, string>>): Promise<Python | undefined> {
  const [version, executable] = (await askProgram(path, ['-I', '-c', tellAbout], variables))?.split('\n') ?? []
  const [minor] = /^3\.\d+/.exec(version ?? '') ?? []
  if (version === undefined || minor === undefined || !executable || !isAbsolute(executable)) return undefined
  return { path: executable, minor, version }
}

function numbers({ version }: Python): readonly [major: number, minor: number, patch: number] {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  return [major, minor, patch]
}
