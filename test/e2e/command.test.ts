import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdtempDisposable, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { rootCertificates } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { backend, Carrick, type Ended } from './carrick.ts'

/** What scripts may rely on: docs/reference/cli.md. */
describe('the carrick command', () => {
  let carrick: Carrick
  beforeAll(async () => void (carrick = await Carrick.start()))
  afterAll(() => carrick[Symbol.asyncDispose]())

  const modeOf = async (...path: string[]) => ((await stat(join(carrick.folder, ...path))).mode & 0o777).toString(8)

  test('a second server on the same folder is refused, and the first one stays', async () => {
    const second = await carrick.carrick('up', '--port', '0')
    expect(second).toEqual(failure(/another Carrick server runs on it/))
    expect((await carrick.carrick('status')).code).toBe(0)
  })

  test('a port that is taken is refused', async () => {
    await using elsewhere = await folder()
    const { port } = new URL(carrick.url)
    expect(await carrick.carrick('up', '--port', port, '--data', elsewhere.path)).toEqual(failure(/port is taken/))
  })

  test.each([
    'up --nonsense',
    'up --backend cloud',
    'up --port nonsense',
    'up --port 70000',
    'env --nonsense',
    'status --nonsense',
    'config check --nonsense',
    'login https://gpubox --nonsense',
    'nonsense',
  ])('carrick %s is wrong usage', async (command) => {
    const { code, stdout, stderr } = await carrick.carrick(...command.split(' '))
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/nonsense|cloud|70000/)
  })

  test.each([
    ['a name that no owner can have', ['--owner', 'Not_A_Name'], {}, /cannot be an owner/],
    ['an address of another machine', ['--host', '192.0.2.1'], {}, /choose another with --host/],
    ['a setting that is no number', [], { CARRICK_BODY_LIMIT: 'much' }, /CARRICK_BODY_LIMIT/],
  ])('%s is refused in a sentence', async (_what, flags, settings, words) => {
    await using elsewhere = await folder()
    const up = ['up', '--port', '0', '--data', elsewhere.path, ...flags]
    expect(await carrick.carrickWith(settings, ...up)).toEqual(failure(words))
  })

  test.each([
    ['backup /nope/one.tar.zst', '/nope/one.tar.zst cannot be written: there is no such file or folder'],
    ['image import /nope', '/nope: there is no such file or folder'],
    ['restore /nope --data /tmp/nope', '/nope: there is no such file or folder'],
  ])('carrick %s says which path is wrong', async (command, words) => {
    const { code, stdout, stderr } = await carrick.carrick(...command.split(' '))
    expect([code, stdout, stderr]).toEqual([1, '', `carrick: ${words}\n`])
  })

  test('carrick events takes a moment, or how long ago it was, and says when there is nothing', async () => {
    const since = ['events', '--since', '2h']
    expect((await carrick.carrick(...since, '--json')).stdout).toMatch(/^\{\s+"events": \[/)
    expect(await carrick.carrick(...since, '--action', 'no_such_action')).toMatchObject({
      code: 0,
      stdout: 'No such changes\n',
    })
    expect(await carrick.carrick('events', '--since', 'soon')).toMatchObject({ code: 2 })
  })

  test('carrick.toml in the data folder is read, and what is wrong in it refused with its line', async () => {
    await using elsewhere = await folder()
    const file = join(elsewhere.path, 'carrick.toml')
    const at = ['--data', elsewhere.path]
    await writeFile(file, 'queue_limit = 7\nlog_level = "loud"\nprot = 1\n')
    expect(await carrick.carrick('config', 'check', ...at)).toEqual(
      failure(/carrick.toml line 3: prot is not a setting/),
    )
    await writeFile(file, 'queue_limit = 7\nlog_level = "loud"\n')
    expect(await carrick.carrick('up', '--port', '0', ...at)).toEqual(
      failure(/carrick.toml line 2: log_level: "loud" is not allowed: give debug or info or warn or error/),
    )
    await writeFile(file, 'queue_limit = 7\n')
    expect((await carrick.carrick('config', 'check', ...at)).code).toBe(0)
    const shown = JSON.parse((await carrick.carrick('config', 'show', '--json', '--port', '1', ...at)).stdout)
    expect(shown).toMatchObject({
      queue_limit: { value: 7, from: `${file} line 1` },
      port: { value: 1, from: '--port' },
      host: { value: '127.0.0.1', from: 'default' },
    })
  })

  test.each(['status', 'env'])('carrick %s without a server says how to start one', async (command) => {
    await using elsewhere = await folder()
    expect(await carrick.carrick(command, '--data', elsewhere.path)).toEqual(failure(/npx carrick up/))
  })

  test('carrick status says what is going on, to people and to machines', async () => {
    expect((await carrick.carrick('status')).stdout).toMatch(
      /^Carrick \S+ is up at https:.*0 apps.*GiB free\n(?:Runners are confined in|Not had by runners:) /,
    )
    const told = JSON.parse((await carrick.carrick('status', '--json')).stdout)
    expect(told).toMatchObject({ url: carrick.url, backend, apps: 0, runners: 0, queued: 0, running: 0 })
    expect(told.confinement.map(({ part }: { part: string }) => part)).toEqual(
      expect.arrayContaining(['memory', 'cpu', 'processes']),
    )
  })

  test('carrick env is what a shell can eval', async () => {
    const { stdout } = await carrick.carrick('env')
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .every((line) => /^export [A-Z_]+='.*'$/.test(line)),
    ).toBe(true)
    const names = Object.keys(carrick.variables)
    const print = names.map((name) => `echo "$${name}"`).join('; ')
    const shell = await promisify(execFile)('sh', ['-c', `eval "$LINES_TO_EVAL"; ${print}`], {
      env: { LINES_TO_EVAL: stdout },
    })
    expect(shell.stdout.trimEnd().split('\n')).toEqual(Object.values(carrick.variables))
    expect(names.toSorted()).toEqual(
      'CARRICK_URL FAL_GRPC_HOST FAL_KEY FAL_QUEUE_RUN_HOST FAL_REST_HOST FAL_RUN_HOST FAL_WS_RUN_HOST GRPC_DEFAULT_SSL_ROOTS_FILE_PATH NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE SSL_CERT_FILE'.split(
        ' ',
      ),
    )
  })

  test('the bundle holds the roots that were in force before, and ours', async () => {
    const certificates = async (file: string) =>
      ((await readFile(file, 'utf8')).match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []).map((pem) =>
        pem.replaceAll(/\s/g, ''),
      )
    const bundle = new Set(await certificates(carrick.variables['SSL_CERT_FILE'] ?? ''))
    const [ours] = await certificates(join(carrick.folder, 'tls', 'ca.pem'))
    const before = process.env['SSL_CERT_FILE'] ?? '/etc/ssl/certs/ca-certificates.crt'
    const roots = await certificates(before).catch(() => rootCertificates.map((pem) => pem.replaceAll(/\s/g, '')))
    expect([ours, ...roots].filter((root) => !bundle.has(root ?? ''))).toEqual([])
    expect(roots.length).toBeGreaterThan(10)
  })

  test('what is secret is readable by its owner alone', async () => {
    expect(await modeOf()).toBe('700')
    expect(await modeOf('credentials.json')).toBe('600')
    expect(await modeOf('encryption.key')).toBe('600')
    const inTls = await readdir(join(carrick.folder, 'tls'))
    const modes = await Promise.all(inTls.filter((name) => /key/.test(name)).map((name) => modeOf('tls', name)))
    expect(modes.length).toBeGreaterThan(0)
    expect(new Set(modes)).toEqual(new Set(['600']))
  })

  test('carrick fal and carrick deploy pass everything on, exit codes too', async () => {
    const whoami = await carrick.carrick('fal', 'auth', 'whoami')
    expect([whoami.code, whoami.stdout]).toEqual([0, expect.stringContaining('tester')])
    expect((await carrick.carrick('fal', 'apps', 'scale', 'nothing', '--keep-alive', '1')).code).toBe(1)
    expect((await carrick.carrick('fal', 'apps', '--nonsense')).code).toBe(2)
    expect((await carrick.carrick('deploy', 'test/e2e/apps/syntax_error.py::Unfinished')).code).toBe(1)
    expect((await carrick.carrick('deploy', '--help')).stdout).toContain('fal deploy')
  })

  test('after a stop server.json is gone, and a start goes on where it was', async () => {
    const credentials = await readFile(join(carrick.folder, 'credentials.json'), 'utf8')
    expect(JSON.parse(await readFile(join(carrick.folder, 'server.json'), 'utf8'))).toMatchObject({ url: carrick.url })
    expect(await carrick.down()).toBe(0)
    await expect(stat(join(carrick.folder, 'server.json'))).rejects.toThrow('ENOENT')
    await carrick.up()
    expect(await readFile(join(carrick.folder, 'credentials.json'), 'utf8')).toBe(credentials)
  })

  test('a data folder that a newer version wrote is refused, and stays as it is', async () => {
    await carrick.down()
    await using copy = await folder()
    await cp(carrick.folder, copy.path, { recursive: true })
    await carrick.up()
    const newer = new DatabaseSync(join(copy.path, 'carrick.sqlite'))
    newer.exec(`insert into migration values (9999, '9999_future.sql', 'x')`)
    newer.close()
    const before = await contentOf(copy.path)
    expect(await carrick.carrick('up', '--port', '0', '--data', copy.path)).toEqual(failure(/newer version of Carrick/))
    expect(await contentOf(copy.path)).toEqual(before)
  })
})

const folder = () => mkdtempDisposable(join(tmpdir(), 'carrick-e2e-'))

/** One sentence on stderr, and exit code 1. */
const failure = (words: RegExp): Ended => ({
  code: 1,
  stdout: '',
  stderr: expect.stringMatching(new RegExp(`^carrick: [^\\n]*(${words.source})[^\\n]*\\n$`)),
})

async function contentOf(path: string): Promise<Record<string, string>> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('lock.sqlite'))
  const hashes = files.map(async ({ parentPath, name }) => {
    const file = join(parentPath, name)
    return [
      file,
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    ] as const
  })
  return Object.fromEntries(await Promise.all(hashes))
}
