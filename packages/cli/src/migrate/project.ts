import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { predictorOf, readCogConfig, type CogConfig } from './cog-config.ts'
import type { Project } from './conversion.ts'
import { readPredictor } from './predictor.ts'

/** What the converter writes at the top of a folder. */
const written = ['fal_app.py', 'cog', 'Dockerfile', 'pyproject.toml', 'MIGRATION.md']

/** What is of no use to a runner. Names that begin with a dot are neither. */
const left = new Set(['cog.yaml', 'venv', 'node_modules', '__pycache__', ...written])
export const isLeftOut = (name: string): boolean =>
  name.startsWith('.') || name === 'venv' || name === 'node_modules' || name === '__pycache__'

/** The most that `fal` uploads of one file. */
const mostBytes = 1024 ** 3

/** Reads a Cog project. Throws a sentence for what is missing or wrong. Nothing of it is run. */
export async function readProject(folder: string): Promise<Project> {
  const config = readCogConfig(await textOf(folder, 'cog.yaml'))
  const { file, className } = predictorOf(config)
  const predictor = await readPredictor(file, await textOf(folder, file), className)
  const entries = (await readdir(folder, { withFileTypes: true })).filter(
    ({ name }) => !left.has(name) && !isLeftOut(name),
  )
  const own = [
    ...entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() })),
    { name: 'cog', isFolder: true },
  ]
  return {
    name: appName(folder),
    config,
    predictor,
    requirementsText: await requirementsIn(folder, config),
    entries: own.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    tooLarge: await largeFiles(
      folder,
      entries.map(({ name }) => name),
    ),
  }
}

async function textOf(folder: string, name: string): Promise<string> {
  return readFile(join(folder, name), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'there is none' : cause.message
    throw new Error(`${join(folder, name)} cannot be read: ${why}`, { cause })
  })
}

async function requirementsIn(folder: string, { build }: CogConfig): Promise<string | undefined> {
  return build.python_requirements === undefined ? undefined : textOf(folder, build.python_requirements)
}

function appName(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 60)
  return name === '' ? 'predictor' : name
}

async function largeFiles(folder: string, names: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const name of names) {
    const info = await stat(join(folder, name)).catch(() => undefined)
    if (info?.isDirectory()) {
      const inside = (await readdir(join(folder, name))).filter((each) => !isLeftOut(each))
      found.push(
        ...(await largeFiles(
          folder,
          inside.map((each) => join(name, each)),
        )),
      )
    } else if (info !== undefined && info.size > mostBytes) found.push(name)
  }
  return found
}
