import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { EnvironmentDefinition } from '../domain/revision.ts'
import { type PackageServer, startPackageServer } from '../testing/package-server.ts'
import { createBuilder, type LocalBuilder, type LocalBuilderOptions } from './local-builder.ts'

const patience = 50_000
let root = ''
let folder = ''
let pythonVersion = ''
let packages: PackageServer
const builders: LocalBuilder[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'carrick-builder-'))
  packages = await startPackageServer()
  pythonVersion = await (await open()).newestPython()
})
beforeEach(async () => {
  folder = await mkdtemp(join(root, 'environments-'))
  packages.shut()
})
afterEach(async () => {
  await Promise.all(builders.splice(0).map((builder) => builder.close()))
})
afterAll(async () => {
  await packages.close()
  await rm(root, { recursive: true, force: true })
})

/** Builders of these tests share downloads and uv. */
async function open(options: Partial<LocalBuilderOptions> = {}): Promise<LocalBuilder> {
  const variables = { ...process.env, NO_PROXY: '127.0.0.1' }
  const builder = await createBuilder({
    folder: folder || join(root, 'none'),
    cacheFolder: join(root, 'cache'),
    variables,
    ...options,
  })
  builders.push(builder)
  return builder
}

const withLayers = (...layers: string[][]): EnvironmentDefinition => ({
  kind: 'virtualenv',
  pythonVersion,
  layers,
  compileBytecode: false,
})

/** A build with all that it says. */
function start(
  builder: LocalBuilder,
  definition: EnvironmentDefinition,
  { force = false, secrets = {} }: { force?: boolean; secrets?: Record<string, string> } = {},
) {
  const lines: string[] = []
  const leaving = new AbortController()
  const built = builder.build(definition, {
    force,
    secrets,
    onLine: (line) => lines.push(line),
    signal: leaving.signal,
  })
  built.catch(() => {}) // some tests look at it later
  return { built, lines, leave: () => leaving.abort(new Error('the caller left')) }
}

async function runPython(environment: string, code: string): Promise<string> {
  const { stdout } = await promisify(execFile)(join(environment, 'bin/python'), ['-c', code])
  return stdout.trim()
}

const generations = async (id: string) => (await readdir(join(folder, id))).filter((name) => name !== 'finished')

describe('a build', () => {
  test('makes an environment with what was asked for, what a pickle needs, and compiled files', async () => {
    const builder = await open()
    const { built, lines } = start(builder, { ...withLayers(['six==1.16.0', 'idna']), compileBytecode: true })
    const environment = builder.folderOf(await built)
    const found = await runPython(
      environment,
      'import six, idna, cloudpickle, grpc; print(six.__version__, six.__cached__)',
    )
    expect(found).toMatch(/^1\.16\.0 .*\.pyc$/)
    expect(await readdir(join(environment, 'lib', `python${pythonVersion}`, 'site-packages/__pycache__'))).toEqual(
      expect.arrayContaining([expect.stringMatching(/^six\..*\.pyc$/)]),
    )
    expect(lines).toContain(' + six==1.16.0')
  })

  test('installs one layer after the other', async () => {
    const builder = await open()
    const { built, lines } = start(builder, withLayers(['six==1.15.0'], ['six==1.16.0']))
    expect(await runPython(builder.folderOf(await built), 'import six; print(six.__version__)')).toBe('1.16.0')
    expect(lines).toEqual(expect.arrayContaining([' + six==1.15.0', ' - six==1.15.0', ' + six==1.16.0']))
  })

  test('that was finished before is not repeated, also by the next server', async () => {
    packages.open()
    const definition = withLayers([packages.requirement()])
    const first = await start(await open(), definition).built
    const next = await open()
    const { built, lines } = start(next, definition)
    expect(await built).toBe(first)
    expect(lines).toEqual([])
    expect(await runPython(next.folderOf(first), 'import gated; print(gated.value)')).toBe('1')
  })

  test('with force is repeated, in a place of its own, and the older one goes on working', async () => {
    packages.open()
    const builder = await open()
    const definition = withLayers([packages.requirement()])
    const id = await start(builder, definition).built
    const older = builder.folderOf(id)
    const { built, lines } = start(builder, definition, { force: true })
    expect(await built).toBe(id)
    expect(lines.join('\n')).toContain('gated==1.0')
    expect(builder.folderOf(id)).not.toBe(older)
    for (const environment of [older, builder.folderOf(id)])
      expect(await runPython(environment, 'import gated')).toBe('')
  })
})

describe('a secret in a requirement', () => {
  const secrets = { TOKEN: 'canary-in-a-requirement', OTHER: 'canary-not-named' }
  const withToken = () => withLayers([packages.requirement().replace(/$/, '?token=${TOKEN}')])

  test('reaches the index and stays in no file, line or id', async () => {
    packages.open()
    const fingerprint = (value: string) => `print of ${value.length}`
    const builder = await open({
      cacheFolder: join(folder, 'cache'),
      toolsFolder: join(root, 'cache/tools'),
      fingerprint,
    })
    const { built, lines } = start(builder, withToken(), { secrets })
    const id = await built
    expect(packages.asked().at(-1)).toContain('?token=canary-in-a-requirement')
    expect(await runPython(builder.folderOf(id), 'import gated; print(gated.value)')).toBe('1')
    expect(lines.join('\n')).toContain('?token=****')
    expect(lines.join('\n')).not.toContain('canary')
    expect(await filesWith('canary-in-a-requirement', folder)).toEqual([])
    expect(await filesWith('token=${TOKEN}', builder.folderOf(id))).toHaveLength(1)
    expect(await start(await open({ fingerprint }), withToken(), { secrets }).built).toBe(id)
  })

  test('is in no variable and no argument of the build', async () => {
    const builder = await open()
    const { built, leave } = start(builder, withToken(), { secrets })
    await packages.arrival()
    const processes = await processesIn(folder)
    expect(processes.join('\n')).toContain('UV_CACHE_DIR')
    expect(processes.join('\n')).not.toContain('canary')
    leave()
    await expect(built).rejects.toThrow('the caller left')
  })

  test('is not in the error of a build that fails', async () => {
    const builder = await open()
    const bad = withLayers([
      packages.requirement().replace(/http.*/, 'http://127.0.0.1:1/${TOKEN}/x-1-py3-none-any.whl'),
    ])
    const { built, lines } = start(builder, bad, { secrets })
    await expect(built).rejects.toMatchObject({
      code: 'build_failed',
      message: expect.stringContaining('127.0.0.1:1/****'),
    })
    await expect(built).rejects.not.toThrow('canary')
    expect(lines.join('\n')).not.toContain('canary')
    expect(await filesWith('canary-in-a-requirement', root)).toEqual([])
  })
})

/** The files below a folder that hold this text. */
async function filesWith(text: string, below: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('grep', ['-rlF', text, below]).catch(
    (error: { stdout: string }) => error,
  )
  return stdout.split('\n').filter((line) => line !== '')
}

/** Arguments and variables of the processes that work in a folder. */
async function processesIn(path: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
      if (!cwd.startsWith(path)) return []
      const texts = ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => ''))
      return Promise.all(texts)
    }),
  )
  return found.flat()
}

describe('equal definitions at the same time', () => {
  test('are built once, and everybody hears everything', async () => {
    const builder = await open()
    const first = start(builder, withLayers([packages.requirement('shared')]))
    await packages.arrival()
    const second = start(builder, withLayers([packages.requirement('shared'), '# the same']))
    await vi.waitFor(() => expect(second.lines).not.toEqual([]), patience)
    packages.open()
    const id = await first.built
    expect(await second.built).toBe(id)
    expect(second.lines).toEqual(first.lines)
    expect(await generations(id)).toHaveLength(1)
  })

  test('go on being built when one caller leaves, and end with the last', async () => {
    const builder = await open()
    const first = start(builder, withLayers([packages.requirement('left')]))
    await packages.arrival()
    const second = start(builder, withLayers([packages.requirement('left')]))
    await vi.waitFor(() => expect(second.lines).not.toEqual([]), patience)
    first.leave()
    await expect(first.built).rejects.toThrow('the caller left')
    expect(packages.waiting()).toBe(1)
    second.leave()
    await expect(second.built).rejects.toThrow('the caller left')
    await vi.waitFor(() => expect(packages.waiting()).toBe(0), patience)
    await builder.close()
    expect((await Promise.all((await readdir(folder)).map(generations))).flat()).toEqual([])
  })
})

describe('bounds', () => {
  test('on builds at a time let the others wait, and say so', async () => {
    const builder = await open({ parallel: 1 })
    const first = start(builder, withLayers([packages.requirement('first')]))
    await packages.arrival()
    const second = start(builder, withLayers([packages.requirement('second')]))
    await vi.waitFor(() => expect(second.lines).toEqual(['Waiting for 1 other build']), patience)
    packages.open()
    expect(await first.built).not.toBe(await second.built)
  })

  test('on time end a build that hangs', async () => {
    const builder = await open({ timeoutMs: 1_000 })
    const { built } = start(builder, withLayers([packages.requirement('hangs')]))
    await expect(built).rejects.toMatchObject({
      code: 'build_failed',
      message: expect.stringContaining('within 1 seconds'),
    })
    await vi.waitFor(() => expect(packages.waiting()).toBe(0), patience)
  })

  test('end with the server: what is being built is given up', async () => {
    const builder = await open()
    const { built } = start(builder, withLayers([packages.requirement('stopped')]))
    await packages.arrival()
    await builder.close()
    await expect(built).rejects.toMatchObject({ code: 'draining' })
  })
})

describe('a build that fails', () => {
  test("ends with the resolver's own words, and leaves nothing", async () => {
    const builder = await open()
    const { built, lines } = start(builder, withLayers(['six==99.9']))
    await expect(built).rejects.toMatchObject({
      code: 'build_failed',
      message: expect.stringMatching(/no version of six==99\.9[^]*unsatisfiable/),
    })
    expect(lines.join('\n')).toContain('six==99.9')
    expect((await Promise.all((await readdir(folder)).map(generations))).flat()).toEqual([])
  })

  test('names the two sides of a conflict with what a pickle needs', async () => {
    const { built } = start(await open(), withLayers(['cloudpickle<2']))
    await expect(built).rejects.toThrow(/cloudpickle>=3,<3\.2 and cloudpickle<2/)
  })

  test('for want of a Python names those that are here', async () => {
    const { built } = start(await open(), { ...withLayers(['six']), pythonVersion: '3.99' })
    await expect(built).rejects.toMatchObject({ code: 'bad_request', message: expect.stringContaining(pythonVersion) })
  })
})

test('a build that was killed with its server is none, and the next server builds it anew', async () => {
  const definition = withLayers([packages.requirement('killed')])
  const script = `
    import { createBuilder } from ${JSON.stringify(new URL('local-builder.ts', import.meta.url).href)}
    const builder = await createBuilder(${JSON.stringify({ folder, cacheFolder: join(root, 'cache') })})
    await builder.build(${JSON.stringify(definition)}, { onLine: () => {}, signal: new AbortController().signal })`
  const server = spawn(process.execPath, [...process.execArgv, '--input-type=module', '-e', script], {
    stdio: 'inherit',
  })
  await packages.arrival()
  server.kill('SIGKILL')
  await vi.waitFor(() => expect(packages.waiting()).toBe(0), patience) // its uv does not outlive it
  const [id = ''] = await readdir(folder)
  const [unfinished] = await generations(id)

  const builder = await open()
  expect(await builder.has(id)).toBe(false)
  expect(await readdir(folder)).toEqual([])
  packages.open()
  expect(await start(builder, definition).built).toBe(id)
  expect(await generations(id)).not.toContain(unfinished)
  expect(await runPython(builder.folderOf(id), 'import gated; print(gated.value)')).toBe('1')
})

const mayMount = spawnSync('unshare', ['--mount', 'true']).status === 0

describe.skipIf(!mayMount)('a full disk (needs root to mount a small one)', () => {
  const small = () => join(folder, 'small')

  beforeEach(async () => {
    await mkdir(small())
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small()])
  })
  afterEach(() => execFileSync('umount', [small()]))

  test('is said, and room is given back', async () => {
    const builder = await open({ folder: small() })
    await expect(start(builder, withLayers(['six'])).built).rejects.toMatchObject({ code: 'disk_full' })
    expect((await readdir(small(), { recursive: true })).filter((name) => name.includes('python'))).toEqual([])
  })
})
