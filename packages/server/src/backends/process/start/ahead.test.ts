import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RunnerBackend, RunnerSpec } from '../../backend.ts'
import { isRunning, type Place } from '../../conformance.ts'
import { openCgroups } from '../groups/cgroups.ts'
import { procOf } from '../proc.ts'
import { openIsolated } from '../testing.ts'

const probe = await openCgroups(`probe-${process.pid}`)
await probe?.close()
const noGroups = probe ? '' : ' (not here: no control group may be made)'
const patience = { timeout: 20_000 }
const never = new AbortController().signal

let place: Place

beforeEach(async () => {
  place = { folder: await mkdtemp(join(tmpdir(), 'carrick-runners-')), installation: randomUUID() }
})
afterEach(async () => {
  await (await openCgroups(place.installation))?.close() // who asks makes them
  await rm(place.folder, { recursive: true, force: true })
})

/** A program of the machine's: Node may be of a checkout below /tmp, and a runner has a /tmp of its own. */
const python = '/usr/bin/python3'
const server = `import http.server, os
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), http.server.BaseHTTPRequestHandler).serve_forever()`

function specOf(program = server, memoryBytes = 268_435_456): RunnerSpec {
  const of = { appId: 'app', revisionId: 'revision', accountId: 'account' }
  const limits = { machineType: 'XS', memoryBytes, cpus: 1, gpus: [] }
  return { id: randomUUID(), ...of, command: [python, '-c', program], variables: {}, mounts: [], limits }
}

/** The groups that were made ahead of time, in which somebody is. */
async function aheadOf({ installation }: Place): Promise<readonly string[]> {
  const groups = await openCgroups(installation)
  return ((await groups?.populated()) ?? []).filter((name) => name.startsWith('ahead-'))
}

async function foldersOf({ installation }: Place, name: string): Promise<readonly string[]> {
  return (await openCgroups(installation))?.foldersOf(name) ?? []
}

const recordOf = async (id: string) =>
  JSON.parse(await readFile(join(place.folder, id, 'runner.json'), 'utf8')) as {
    readonly pid: number
    readonly group?: string
  }

/** What waits is given up when something is mounted on the machine meanwhile: then the one after it is looked at. */
async function startedFromAhead(
  runners: RunnerBackend,
): Promise<{ readonly next: RunnerSpec; readonly group: string }> {
  for (;;) {
    await expect.poll(() => aheadOf(place), patience).toHaveLength(1)
    const next = specOf()
    await runners.start(next, never)
    await expect.poll(async () => (await runners.list(never)).get(next.id)?.kind, patience).toBe('accepting')
    const { group } = await recordOf(next.id)
    if (group === undefined) continue
    expect(group).toMatch(/^ahead-/)
    return { next, group }
  }
}

test('what was made ready for a runner that does not start is gone with it, groups and all', async () => {
  const runners = await openIsolated(place)
  const { command: _command, ...outline } = specOf()
  const pidOf = async () => (await recordOf(outline.id)).pid
  runners.prepare?.(outline)
  await expect.poll(() => pidOf().catch(() => undefined), patience).toBeGreaterThan(0)
  const pid = await pidOf()
  expect([...(await runners.list(never)).keys()]).toEqual([])
  await runners.forget(outline.id)
  expect(existsSync(join(place.folder, outline.id))).toBe(false)
  expect((await foldersOf(place, outline.id)).filter((folder) => existsSync(folder))).toEqual([])
  await expect.poll(() => isRunning(pid), patience).toBe(false)
  await runners.close()
})

test.skipIf(noGroups)(
  `a start whose folder cannot be made takes along what waited for it, groups and all; it can be repeated${noGroups}`,
  async () => {
    const runners = await openIsolated(place)
    const kind = async (id: string) => (await runners.list(never)).get(id)?.kind
    const [first, spec] = [specOf(), specOf()]
    await runners.start(first, never)
    await expect.poll(() => kind(first.id), patience).toBe('accepting')
    await expect.poll(() => aheadOf(place), patience).toHaveLength(1)
    const [waiting = ''] = await aheadOf(place)
    await writeFile(join(place.folder, spec.id), 'in the way')
    await expect(runners.start(spec, never)).rejects.toThrow('EEXIST')
    expect((await foldersOf(place, waiting)).filter((folder) => existsSync(folder))).toEqual([])
    await rm(join(place.folder, spec.id))
    await runners.start(spec, never)
    await expect.poll(() => kind(spec.id), patience).toBe('accepting')
    await runners.close()
  },
)

test('what was made ready for a runner becomes it when it starts', async () => {
  const runners = await openIsolated(place)
  const spec = specOf()
  runners.prepare?.(spec)
  await expect.poll(() => recordOf(spec.id).catch(() => undefined), patience).toBeDefined()
  const before = await recordOf(spec.id)
  await runners.start(spec, never)
  await expect.poll(async () => (await runners.list(never)).get(spec.id)?.kind, patience).toBe('accepting')
  expect((await recordOf(spec.id)).pid).toBeGreaterThanOrEqual(before.pid) // another where that took longer than it is kept
  await runners.close()
})

test.skipIf(noGroups)(
  `the next runner has groups that were made ahead, and its own bounds in them; they go with it${noGroups}`,
  async () => {
    const runners = await openIsolated(place)
    const kind = async (id: string) => (await runners.list(never)).get(id)?.kind
    const first = specOf()
    await runners.start(first, never)
    await expect.poll(() => kind(first.id), patience).toBe('accepting')
    expect(await recordOf(first.id)).not.toHaveProperty('group')
    const { next, group } = await startedFromAhead(runners)

    const folders = await foldersOf(place, group)
    const bounds = folders.flatMap((folder) =>
      ['memory.max', 'memory.limit_in_bytes'].map((name) => join(folder, name)),
    )
    const written = await Promise.all(bounds.filter(existsSync).map((file) => readFile(file, 'utf8')))
    if (probe?.held.has('memory')) expect(written).toContain(`${next.limits?.memoryBytes}\n`)
    expect((await runners.usage(never)).get(next.id)?.memoryBytes).toBeGreaterThan(0)

    const freezing = folders.map((folder) => join(folder, 'cgroup.freeze')).find(existsSync)
    if (freezing !== undefined) {
      await runners.freezer?.freeze(next.id, never)
      expect(readFileSync(freezing, 'utf8')).toBe('1\n')
      await runners.freezer?.thaw(next.id, never)
      expect(readFileSync(freezing, 'utf8')).toBe('0\n')
    }

    await runners.kill(next.id, never)
    await runners.forget(next.id)
    expect(folders.filter(existsSync)).toEqual([])
    const groups = await openCgroups(place.installation)
    const { cpu, others } = groups?.foldersAtStart('any') ?? { cpu: undefined, others: [] }
    const roots = [...(groups?.foldersOf('any') ?? []), ...(cpu ? [cpu] : []), ...others].map((folder) =>
      dirname(folder),
    )
    await runners.close()
    expect(roots.filter(existsSync)).toEqual([])
  },
)

const noMemory = noGroups || (probe?.held.has('memory') ? '' : ' (not here: no control group holds memory)')
test.skipIf(noMemory)(
  `one that outgrows the groups that were made ahead ends with that reason${noMemory}`,
  async () => {
    const runners = await openIsolated(place)
    const sighting = async (id: string) => (await runners.list(never)).get(id)
    const [first, next] = [specOf(), specOf(`all = []\nwhile True: all.append(b'1' * 1_000_000)`, 100_000_000)]
    await runners.start(first, never)
    await expect.poll(() => aheadOf(place), patience).toHaveLength(1)
    await runners.start(next, never)
    await expect.poll(async () => (await sighting(next.id))?.kind, patience).toBe('exited')
    expect(await sighting(next.id)).toMatchObject({ exceeded: 'oom' })
    await runners.close()
  },
)

test.skipIf(noGroups)(
  `after a kill -9 of the server nothing is left of what waited, nor of groups made ahead${noGroups}`,
  async () => {
    const specs = [specOf(), specOf()]
    const host = `
    const [testing, cgroups, place, specs] = process.argv.slice(1)
    const { openIsolated } = await import(testing)
    const { openCgroups } = await import(cgroups)
    const never = new AbortController().signal
    const backend = await openIsolated(JSON.parse(place))
    const groups = await openCgroups(JSON.parse(place).installation)
    const until = async (holds) => {
      for (const end = performance.now() + 60_000; !(await holds()); await new Promise((wake) => setTimeout(wake, 20)))
        if (performance.now() > end) throw new Error('it never held')
    }
    const hasSpare = async () => (await groups.populated()).filter((name) => name.startsWith('ahead-')).length
    for (const spec of JSON.parse(specs)) {
      await backend.start(spec, never)
      await until(async () => (await backend.list(never)).get(spec.id)?.kind === 'accepting')
      await until(async () => (await hasSpare()) > 0)
    }
    process.kill(process.pid, 'SIGKILL')`
    const beside = (name: string) => fileURLToPath(new URL(name, import.meta.url))
    const flags = ['--conditions=carrick-source', '--input-type=module', '-e', host]
    const told = [beside('../testing.ts'), beside('../groups/cgroups.ts'), JSON.stringify(place), JSON.stringify(specs)]
    const child = spawn(process.execPath, [...flags, ...told], { stdio: ['ignore', 'pipe', 'inherit'] })
    await Promise.all([text(child.stdout), once(child, 'exit')])
    const groups = await aheadOf(place)
    const folders = (await Promise.all(groups.map((name) => foldersOf(place, name)))).flat()
    const mains = await Promise.all(specs.map(async ({ id }) => (await recordOf(id)).pid))
    const family = familyOf(mains)

    const next = await openIsolated(place)
    expect([...(await next.list(never)).keys()]).toEqual(expect.arrayContaining(specs.map(({ id }) => id)))
    for (const id of (await next.list(never)).keys()) await next.kill(id, never)
    expect([...mains, ...family].filter(isRunning)).toEqual([])
    await next.close()
    expect(folders.filter(existsSync)).toEqual([])
    expect(await aheadOf(place)).toEqual([])
  },
)

/** What these have started: the first process inside, and `pasta`. */
function familyOf(mains: readonly number[]): readonly number[] {
  return mains.flatMap((pid) => {
    expect(procOf(pid)?.pid).toBe(pid)
    return childrenOf(pid)
  })
}

function childrenOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return children === '' ? [] : children.split(' ').map(Number)
}
