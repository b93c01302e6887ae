import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { print, type Said } from '../output.ts'
import { appSource, mark } from './app-source.ts'
import { convert, type Conversion } from './conversion.ts'
import { dockerfile } from './dockerfile.ts'
import { mapped, notMapped } from './findings.ts'
import { isLeftOut, readProject } from './project.ts'
import { withApp } from './pyproject.ts'
import { report } from './report.ts'

interface Flags {
  into?: string
  json?: boolean
}

const shim = fileURLToPath(new URL('./python/cog', import.meta.url))

/** `carrick migrate cog`: writes an app beside a Cog project's predictor, which stays as it is. All or nothing is written. */
export async function migrateCog(folder: string, { into, json }: Flags): Promise<void> {
  const conversion = convert(await readProject(folder))
  const texts = textsOf(conversion)
  const target = into ?? folder
  if (into === undefined) await refuseForeign(folder, [...Object.keys(texts), 'cog/serve.py'])
  else await refuseFull(folder, into)
  const pyproject = withApp(await textIfThere(join(folder, 'pyproject.toml')), conversion.project.name)
  if (into !== undefined)
    await cp(folder, into, { recursive: true, filter: (path) => path === folder || !isLeftOut(basename(path)) })
  await cp(shim, join(target, 'cog'), { recursive: true, filter: (path) => !isLeftOut(basename(path)) })
  for (const [name, text] of Object.entries({ ...texts, 'pyproject.toml': pyproject }))
    await writeFile(join(target, name), text)
  print(said(conversion, target, Object.keys(texts)), { json })
}

function textsOf(conversion: Conversion): Record<string, string> {
  return {
    'fal_app.py': appSource(conversion),
    'MIGRATION.md': report(conversion),
    ...(conversion.kind === 'container'
      ? { Dockerfile: `# Written by \`${mark}\` from cog.yaml\n${dockerfile(conversion)}` }
      : {}),
  }
}

/** What is there is written again if the converter wrote it, and else stays. */
async function refuseForeign(folder: string, names: readonly string[]): Promise<void> {
  for (const name of [...names, 'cog.py', 'cog/__init__.py']) {
    const text = await textIfThere(join(folder, name))
    if (text === undefined || text.includes(mark)) continue
    throw new Error(
      `${join(folder, name)} is in the way, and is not from this command: move it, or name an empty folder with --into`,
    )
  }
}

async function refuseFull(folder: string, into: string): Promise<void> {
  if (!relative(resolve(folder), resolve(into)).startsWith('..'))
    throw new Error(`--into ${into}: it must be outside ${folder}`)
  await mkdir(into, { recursive: true })
  if ((await readdir(into)).length > 0) throw new Error(`--into ${into}: it must be empty, and it is not`)
  await refuseForeign(folder, ['cog/serve.py'])
}

async function textIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined
    throw new Error(`${file} cannot be read: ${cause.message}`, { cause })
  })
}

function said(conversion: Conversion, folder: string, files: readonly string[]): Said {
  const { project, kind } = conversion
  const { name } = project
  const [made, open] = [mapped(conversion), notMapped(conversion)]
  const left = open.map(({ key, why }) => `  ${key}: ${why}`)
  const text = [
    `${name} is an app now, ${kind === 'container' ? 'with an image of its own' : 'with a Python environment'}: ${join(folder, 'fal_app.py')}`,
    ...made.map(({ key, to }) => `  ${key} → ${to}`),
    ...(left.length === 0 ? [] : ['What to know:', ...left]),
    `Deploy it from ${folder} with: fal deploy ${name}`,
  ].join('\n')
  const all = [...files, 'cog', 'pyproject.toml']
  return { text, json: { app: name, kind, folder: resolve(folder), files: all, mapped: made, not_mapped: open } }
}
