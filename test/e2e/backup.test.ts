import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, onDocker, until } from './carrick.ts'
import { mayMount } from './mounts.ts'

/** What becomes of images is in docker/import.docker.test.ts. */
const ofFolders = (name: string) => (onDocker ? `${name}: not with containers, whose environments are images` : name)

/** `carrick backup` and `carrick restore`, with a server that works meanwhile and another that goes on with what it had. */
describe.skipIf(!mayMount)('a backup of a server that runs, restored into a new folder', () => {
  let original: Carrick
  let restored: Carrick
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carrick-e2e-backup-'))
    original = await Carrick.start()
    await original.deploy('keeper.py::Keeper', 'keeper')
  })
  afterAll(async () => {
    await original[Symbol.asyncDispose]()
    await restored?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const post = async <T>(server: Carrick, path: string, run: string, more: object = {}): Promise<T> => {
    const headers = { 'content-type': 'application/json' }
    const answer = await server.ask(path, { method: 'POST', headers, body: JSON.stringify({ run, ...more }) })
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as T
  }
  const submit = async (run: string, more?: object) =>
    (await post<{ request_id: string }>(original, '/queue/tester/keeper', run, more)).request_id
  const result = (server: Carrick, id: string) => server.ask(`/queue/tester/keeper/requests/${id}`)
  const isDone = async (server: Carrick, id: string) => (await result(server, id)).status === 200
  const runners = async (server: Carrick) =>
    (
      JSON.parse((await server.carrick('runners', 'list', '--json')).stdout) as { runners: { runner_id: string }[] }
    ).runners.map(({ runner_id }) => runner_id)

  let large = ''
  let waiting: string[] = []
  const file = () => join(folder, 'backup.tar.zst')

  test('is written while requests come, run and wait', async () => {
    await post(original, '/tester/keeper', "open('/data/kept.txt', 'w').write('kept in /data')")
    large = await submit("said = 'x' * 100000", { more: 'y'.repeat(100_000) })
    await until(() => isDone(original, large), 'the large result')
    const wait = `import time\nwhile not os.path.exists('${original.shared}/open'): time.sleep(0.05)\nsaid = 'it went on'`
    waiting = await Promise.all([0, 1, 2].map(() => submit(wait)))
    let come = 0
    const stop = new AbortController()
    const load = (async () => {
      for (; !stop.signal.aborted; come += 1) await submit('pass', { more: 'z'.repeat(40_000) })
    })()
    await until(() => come > 5, 'load')
    const before = come
    const ended = await original.carrick('backup', file(), '--logs', '--output', 'json')
    expect(come).toBeGreaterThan(before)
    stop.abort()
    await load
    expect(ended.code, ended.stderr).toBe(0)
    expect(ended.stderr).toContain('not encrypted')
    expect(JSON.parse(ended.stdout)).toMatchObject({ file: file(), missing: [], left_out: [], kept_at: '' })
    expect((await original.carrick('backup', file())).stderr).toContain('is there already')
    expect((await original.carrick('backup', join(original.folder, 'x'))).stderr).toContain('is in the data folder')
  })

  test('becomes a data folder on which a server starts, beside the original', async () => {
    const target = join(folder, 'new')
    const ended = await original.carrick('restore', file(), '--data', target)
    expect(ended.code, ended.stderr).toBe(0)
    expect((await original.carrick('restore', file(), '--data', target)).stderr).toContain('is not empty')
    expect(await readdir(target)).not.toContain('environments')
    const before = await runners(original)
    const settings = {
      CARRICK_SHARED_FOLDERS: original.shared,
      CARRICK_DATA_QUOTA_EVERY_MS: '200',
    }
    restored = await Carrick.startIn(target, settings)
    expect(restored.url).not.toBe(original.url)
    expect(await runners(original)).toEqual(before)
    expect(restored.variables['FAL_KEY']).toBe(original.variables['FAL_KEY'])
  })

  test('has its old results, goes on with what waited, and calls its apps', async () => {
    const old = await result(restored, large)
    expect(((await old.json()) as { said: string }).said).toBe('x'.repeat(100_000))
    await writeFile(join(original.shared, 'open'), '')
    for (const server of [original, restored])
      for (const id of waiting) {
        await until(() => isDone(server, id), `request ${id} that waited`)
        expect(await (await result(server, id)).json()).toEqual({ said: 'it went on' })
      }
    const run = "said = open('/data/kept.txt').read() + ' ' + str(os.listdir('/app/keeper_files'))"
    const { said } = await post<{ said: string }>(restored, '/tester/keeper', run)
    expect(said).toMatch(/^kept in \/data \[.*'tool\.sh'/)
    expect((await restored.carrick('events', '--action', 'deploy', '--json')).stdout).toContain('keeper')
  })

  test.skipIf(onDocker)(ofFolders('has built its environment again, and said so'), async () => {
    const lines = (await restored.fal('runners', 'logs', (await runners(restored))[0] ?? '')).stdout
    expect(lines).toMatch(/it is built again before the runner starts[^]*Building an environment/)
    expect((await readdir(join(restored.folder, 'environments'))).length).toBe(1)
  })

  const deleted = ofFolders('an environment that somebody has deleted is built again for the next runner')
  test.skipIf(onDocker)(deleted, async () => {
    await rm(join(restored.folder, 'environments'), { recursive: true })
    for (const id of await runners(restored)) await restored.fal('runners', 'kill', id)
    expect(await post(restored, '/tester/keeper', "said = 'again'")).toEqual({ said: 'again' })
  })

  const pruned = ofFolders('prune tells what it would take away, and takes nothing that an app needs')
  test.skipIf(onDocker)(pruned, async () => {
    const prune = async (...flags: string[]) =>
      JSON.parse((await restored.carrick('system', 'prune', '--output', 'json', ...flags)).stdout) as {
        pruned: { kind: string; name: string }[]
      }
    const environments = join(restored.folder, 'environments')
    const [id = ''] = await readdir(environments)
    const old = Date.now() / 1_000 - 200_000
    await utimes(join(environments, id, 'finished'), old, old)
    expect((await prune('--dry-run')).pruned.filter(({ kind }) => kind === 'environment')).toEqual([])
    await prune()
    expect(await post(restored, '/tester/keeper', "said = 'still'")).toEqual({ said: 'still' })
    for (const runner of await runners(restored)) await restored.fal('runners', 'kill', runner)
    expect(await post(restored, '/tester/keeper', "said = 'anew'")).toEqual({ said: 'anew' })
  })

  test('an account that keeps more than it may stores no more, and its next runners cannot write to /data', async () => {
    await post(restored, '/tester/keeper', "open('/data/large', 'wb').write(b'x' * 3000000)")
    expect((await restored.carrick('accounts', 'set', 'tester', '--data-quota', '2.5MB')).stdout).toContain(
      'may keep 2.5 MiB',
    )
    const overQuota = async () =>
      (JSON.parse((await restored.carrick('usage', '--json')).stdout) as { data: { used_bytes: number } }).data
        .used_bytes > 3_000_000
    await until(overQuota, 'a measurement')
    const upload = () => restored.fal('files', 'upload', join(original.folder, 'carrick.sqlite'), '/data/store')
    await until(async () => (await upload()).code !== 0, 'a refusal')
    expect((await upload()).stdout + (await upload()).stderr).toContain('may keep')
    for (const runner of await runners(restored)) await restored.fal('runners', 'kill', runner)
    const write =
      "\ntry:\n  open('/data/more', 'w')\n  said = 'written'\nexcept OSError as error:\n  said = error.strerror"
    expect(await post(restored, '/tester/keeper', write)).toEqual({ said: 'Read-only file system' })
    const logs = await restored.ask('/logs/?search=may+keep+no+more')
    expect(await logs.text()).toContain('may keep no more in /data')
    expect((await restored.carrick('usage')).stdout).toMatch(/\/data: [\d.]+ MiB of 2\.5 MiB/)
    expect((await restored.fal('files', 'rm', '/data/large')).code).toBe(0)
    await until(async () => (await upload()).code === 0, 'room')
  })
})
