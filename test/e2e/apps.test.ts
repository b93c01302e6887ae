import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, root, until, type Ended, onDocker } from './carrick.ts'
import { mayMount } from './mounts.ts'
import { requirementOfTinyPackage } from './tiny-package.ts'

interface Deployed {
  readonly revision: string
  readonly app_name: string
  readonly status: string
}

interface Runners {
  readonly runners: readonly { readonly alias: string; readonly revision: string; readonly state: string }[]
}

interface Listed {
  readonly alias: string
  readonly active_runners: number
  readonly request_start_timeout: number | null
}

/** Everything that can be said of deploys and apps, with the stock `fal` 1.83.0 against a real server. */
describe('the stock fal command', () => {
  let carrick: Carrick
  let folder: string
  let python: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carrick-apps-'))
    await mkdir(join(folder, 'bin'))
    await mkdir(join(folder, 'one-file'))
    const copies = ['many_words.py', 'plain.py', 'beside.py', 'one-file/many_words.py']
    await Promise.all(copies.map((copy) => copyFile(join(root, 'test/e2e/apps', basename(copy)), join(folder, copy))))
    carrick = await Carrick.start({ CARRICK_DEPLOY_CHECK: 'true', PATH: `${folder}/bin:${process.env['PATH']}` })
    const doctor = await carrick.fal('doctor', '--json')
    python = (JSON.parse(doctor.stdout) as { python: string }).python.split('.').slice(0, 2).join('.')
  })
  afterAll(async () => {
    await carrick[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const said = ({ stdout, stderr }: Ended) => stdout + stderr
  const json = ({ stdout }: Ended): unknown => JSON.parse(stdout.slice(stdout.search(/^\{/m)))

  async function fal(...args: string[]): Promise<Ended> {
    const ended = await carrick.fal(...args)
    expect(ended.code, `fal ${args.join(' ')}\n${said(ended)}`).toBe(0)
    return ended
  }

  async function refused(...args: string[]): Promise<string> {
    const ended = await carrick.fal(...args)
    expect(ended.code, `fal ${args.join(' ')}\n${said(ended)}`).not.toBe(0)
    return said(ended)
  }

  /** `fal deploy … --json` in a folder of ours. */
  async function deploy(...args: string[]): Promise<Deployed> {
    const ended = await carrick.falIn(folder, ['deploy', ...args, '--json'])
    expect(ended.code, `fal deploy ${args.join(' ')}\n${said(ended)}`).toBe(0)
    return json(ended) as Deployed
  }

  const listed = async (...flags: string[]) =>
    (json(await fal('apps', 'list', '--json', ...flags)) as { apps: Listed[] }).apps
  const list = async (...flags: string[]) => (await listed(...flags)).map(({ alias }) => alias)

  const ask = (path: string, body: object, headers: Record<string, string> = {}, key = carrick.variables['FAL_KEY']) =>
    carrick.ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      key: key ?? null,
    })
  const answer = async (app: string, body: object = {}) =>
    (await (await ask(`/tester/${app}`, body)).json()) as Record<string, unknown>
  const metadata = async (app: string) =>
    (await (await carrick.ask(`/applications/tester/${app}/metadata`)).json()) as Record<string, unknown>

  /** A row of the server's database: what no command shows whole, and each command takes a second to show. */
  function row(query: string, value: string): Readonly<Record<string, unknown>> {
    using database = new DatabaseSync(join(carrick.folder, 'carrick.sqlite'), { readOnly: true })
    return database.prepare(query).get(value) ?? {}
  }
  const stored = (revision: string) =>
    JSON.parse(String(row('select spec from revision where id = ?', revision)['spec'])) as object
  function live(name: string): Readonly<Record<string, unknown>> {
    const { scale, ...app } = row(
      'select revision_id as revision, auth_mode, scale from app where name = ? and deleted_at is null',
      name,
    )
    return { ...app, ...(JSON.parse(String(scale)) as object) }
  }

  describe('deploys', () => {
    test('the one file of a folder, after it has shown what will change', async () => {
      const args = ['deploy', '--check', '--yes', '--attach', '--message', 'the first', '--annotation', 'GIT_SHA=abc']
      const ended = await carrick.falIn(join(folder, 'one-file'), [...args, '--annotation', 'BY=me'])
      expect(ended.code, said(ended)).toBe(0)
      expect(ended.stdout).toMatch(/Current Revision[^]*none \(first deployment\)|first deployment/i)
      expect(ended.stdout).toContain('Deployed successfully')
      expect(await metadata('many-words')).toMatchObject({
        message: 'the first',
        annotations: { GIT_SHA: 'abc', BY: 'me' },
        openapi: { paths: { '/': {}, '/stream': {} } },
        billing_components: { '/': { version: 1, schema_id: 'words-1' } },
      })
    })

    test('nothing when the check is not confirmed, whoever asked for it', async () => {
      const before = live('many-words')
      const wishes: readonly (readonly [string[], Record<string, string>])[] = [
        [['--check'], {}],
        [[], { FAL_DEPLOY_CHECK: '1' }],
        [['--team', 'tester'], {}], // the server's own wish, which clients with a team look up
      ]
      const deploys = wishes.map(([flags, variables]) =>
        carrick.falIn(folder, ['deploy', 'many_words.py', ...flags], variables),
      )
      for (const ended of await Promise.all(deploys)) {
        expect(ended.code, said(ended)).toBe(1)
        expect(said(ended)).toContain('requires interactive input')
      }
      expect(live('many-words')).toEqual(before)
    })

    test('a file under another name, open to all, at once', async () => {
      const flags = ['--auth', 'public', '--strategy', 'recreate', '--no-cache', '--no-scale']
      const { revision, app_name, status } = await deploy('many_words.py', '--app-name', 'second', ...flags)
      expect([app_name, status]).toEqual(['second', 'deployed'])
      expect(live('second')).toMatchObject({ revision, auth_mode: 'public', request_start_timeout: 50 })
    })

    test('detached: the app has moved when the command returns', async () => {
      const { revision, status } = await deploy('many_words.py::ManyWords', '--app-name', 'second', '--detach')
      expect(status).toBe('rolling_out')
      expect(live('second')).toMatchObject({ revision, auth_mode: 'private' })
      expect(await answer('second', { text: 'hi' })).toMatchObject({ text: 'hi', revision })
      const clash = await carrick.falIn(folder, ['deploy', 'many_words.py', '--attach', '--strategy', 'recreate'])
      expect(said(clash)).toContain('only applies to rolling deployments')
    })

    test('with every key of a table in pyproject.toml', async () => {
      await writeFile(join(folder, 'pyproject.toml'), tables(python))
      const { revision } = await deploy('everything', '--yes', '--message', 'from a table')
      expect(live('every-thing')).toMatchObject({
        revision,
        auth_mode: 'shared',
        min_concurrency: 0,
        max_concurrency: 3,
        max_multiplexing: 4,
        concurrency_buffer: 1,
        concurrency_buffer_perc: 10,
        scaling_delay: 5,
        keep_alive: 123,
        request_timeout: 61,
        request_start_timeout: 62,
        startup_timeout: 63,
        machine_types: ['XS', 'S'],
        valid_regions: ['us-east'],
      })
      expect(stored(revision)).toMatchObject({
        terminationGracePeriodSeconds: 7,
        skipRetryConditions: ['timeout'],
        retryBudgets: { server_error: 1 },
        healthCheck: {
          path: '/health',
          method: 'GET',
          startPeriodSeconds: 64,
          timeoutSeconds: 6,
          failureThreshold: 4,
          callRegularly: false,
        },
        privateLogs: true,
        secrets: [],
        environment: { pythonVersion: python },
        metadata: { message: 'from a table' },
        sourceCode: expect.stringContaining('class Plain'),
      })
      const unknown = await carrick.falIn(folder, ['deploy', 'unknown'])
      expect(said(unknown)).toContain('unexpected keys')
    })

    const title = 'with the keys of a table that are about files (where mount namespaces can be made)'
    test.skipIf(!mayMount)(title, async () => {
      await mkdir(join(folder, 'beside', 'scratch'), { recursive: true })
      const files = ['beside/words.txt', 'beside/scratch/draft.txt']
      await Promise.all(files.map((file) => writeFile(join(folder, file), file)))
      await writeFile(join(folder, 'pyproject.toml'), filesTable(python))
      const { revision } = await deploy('beside')
      expect(stored(revision)).toMatchObject({ dataMounts: ['/data/shared/models'] })
      expect(await answer('beside')).toEqual({ seen: ['/app/beside/words.txt'] })
    })

    test('an app whose logs are private: others who may call it get none', async () => {
      const { key_id, key_secret } = JSON.parse(
        (await carrick.carrick('accounts', 'create', 'bob', '--json')).stdout,
      ) as Record<string, string>
      const bob = `${key_id}:${key_secret}`
      const submitted = (await (await ask('/queue/tester/every-thing', { text: 'a secret' }, {}, bob)).json()) as {
        request_id: string
      }
      const status = async (key: string | undefined) =>
        (await (
          await carrick.ask(`/queue/tester/every-thing/requests/${submitted.request_id}/status?logs=1`, {
            key: key ?? null,
          })
        ).json()) as { status: string; logs: object[] }
      await until(async () => (await status(bob)).status === 'COMPLETED', 'the request to be done')
      expect((await status(bob)).logs).toEqual([])
    })

    test('an entry point, whose code is a requirement', async () => {
      const requirement = await requirementOfTinyPackage(carrick, folder)
      await writeFile(join(folder, 'pyproject.toml'), entryPoint(requirement, python))
      const { revision } = await deploy('greeter')
      expect(stored(revision)).toMatchObject({ callable: { entrypoint: 'tiny_greeter:Greeter.run_local' } })
      expect(await answer('greeter/greet', { name: 'ann' })).toMatchObject({ text: 'hello ann', revision })
      expect(await metadata('greeter')).toMatchObject({ openapi: { paths: { '/greet': {} } } })
      expect(live('greeter')['keep_alive']).toBe(45)
    })

    test.skipIf(onDocker)(condaTest, async () => {
      const app = join(root, 'test/e2e/apps/conda.py::prefix')
      const before = await carrick.falIn(folder, ['deploy', app, '--app-name', 'conda'])
      expect(before.code).toBe(1)
      expect(said(before)).toMatch(/no micromamba[^]*deploy again/)
      await writeFile(join(folder, 'bin', 'micromamba'), fakeMicromamba(folder, python), { mode: 0o755 })
      await deploy(app, '--app-name', 'conda')
      const { prefix, six } = await answer('conda')
      expect(six).toBe('1.17.0')
      const asked = await readFile(join(folder, 'micromamba-was-asked'), 'utf8')
      expect(asked).toContain(
        `--prefix ${String(prefix)} --override-channels --channel conda-forge python=${python} tzdata`,
      )
    })
  })

  describe('looks after apps:', () => {
    test('list shows those that match, in the order that was asked for', async () => {
      const shown = [list(), list('--filter', 'second'), list('--regions', 'us-east', 'eu-north')]
      expect(await Promise.all(shown)).toEqual([
        [
          ...(mayMount ? ['beside'] : []),
          ...(onDocker ? [] : ['conda']),
          'every-thing',
          'greeter',
          'many-words',
          'second',
        ],
        ['second'],
        ['every-thing'],
      ])
      await answer('second')
      const counts = (await listed('--sort-by-runners')).map(({ active_runners: count }) => count)
      expect(counts).toEqual(counts.toSorted((one, other) => one - other))
      expect(counts.at(-1)).toBeGreaterThan(0)
      expect(await refused('apps', 'list', '--env', 'nowhere')).toContain('Environment "nowhere" not found')
      expect((await fal('apps', 'list')).stdout).toContain('many-words')
    })

    test('scale changes every number, and leaves what it does not name', async () => {
      const flags = {
        'keep-alive': 300,
        'max-multiplexing': 2,
        'max-concurrency': 4,
        'min-concurrency': 0,
        'concurrency-buffer': 0,
        'concurrency-buffer-perc': 0,
        'scaling-delay': 1,
        'request-timeout': 600,
        'request-start-timeout': 33,
        'startup-timeout': 100,
      }
      const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)])
      await fal('apps', 'scale', 'second', ...args, '--machine-types', 'S', 'M', '--regions', 'us-west', 'us-east')
      const numbers = Object.fromEntries(
        Object.entries(flags).map(([flag, value]) => [flag.replaceAll('-', '_'), value]),
      )
      const expected = { ...numbers, machine_types: ['S', 'M'], valid_regions: ['us-west', 'us-east'] }
      expect(live('second')).toMatchObject(expected)
      await fal('apps', 'scale', 'second', '--keep-alive', '301', '--machine-types', 'XS')
      expect(live('second')).toMatchObject({ ...expected, keep_alive: 301, machine_types: ['XS'] })
      await fal('apps', 'scale', 'second', '--request-start-timeout', '0')
      expect((await listed('--filter', 'second'))[0]?.request_start_timeout).toBeNull()
      expect((await fal('apps', 'scale', 'second')).stdout).toContain('No parameters')
      expect(await refused('apps', 'scale', 'second', '--min-concurrency', '5')).toContain('above max_concurrency (4)')
    })

    test('a deploy keeps what was scaled, --reset-scale takes what the code says', async () => {
      await deploy('many_words.py', '--app-name', 'second', '--detach')
      expect(live('second')).toMatchObject({
        keep_alive: 301,
        startup_timeout: 600,
        machine_types: ['XS'],
      })
      await deploy('many_words.py', '--app-name', 'second', '--detach', '--reset-scale')
      expect(live('second')).toMatchObject({ keep_alive: 60, request_start_timeout: 50, max_concurrency: 1 })
    })

    const revisions = async (...args: string[]) =>
      (await fal('apps', 'list-rev', ...args)).stdout.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? []

    test('an earlier revision comes back, one that is in use stays, and one that was deleted is gone', async () => {
      const [active, ...earlier] = await revisions('second')
      expect(active).toBe(live('second')['revision'])
      const old = earlier.at(-1) ?? ''
      await fal('apps', 'set-rev', 'second', old, '--auth', 'shared', '--strategy', 'recreate')
      expect(live('second')).toMatchObject({ revision: old, auth_mode: 'shared' })
      expect((await answer('second'))['revision']).toBe(old)

      expect(await refused('apps', 'delete-rev', old)).toMatch(/is the active one, so it was not deleted: make another/)
      await fal('apps', 'set-rev', 'second', active ?? '', '--strategy', 'rolling')
      const runners = async () => (json(await fal('apps', 'runners', 'second', '--json')) as Runners).runners
      await fal('apps', 'delete-rev', old)
      await until(async () => !(await runners()).some(({ revision }) => revision === old), 'its runners to end')
      expect(await revisions('second')).toEqual([active, ...earlier.slice(0, -1)])
      expect(await revisions()).toContain(active)
      expect(await refused('apps', 'set-rev', 'second', old)).toContain(`"${old}" of "second" not found`)
      expect(await refused('apps', 'delete-rev', old)).toContain(`"${old}" not found`)
    })

    test('runners shows each state, and those that ended when it is asked to', async () => {
      await answer('second')
      const show = async (...flags: string[]) =>
        (json(await fal('apps', 'runners', 'second', '--json', ...flags)) as Runners).runners
      expect((await show('--state', 'idle', 'running')).length).toBeGreaterThan(0)
      const ended = await show('--since', '1h ago', '--state', 'terminated')
      expect(new Set(ended.map(({ state }) => state))).toEqual(new Set(['TERMINATED']))
      expect((await fal('apps', 'runners', 'second')).stdout).toContain('Runner')
    })

    test('rollout puts a new runner in the place of the old one', async () => {
      await fal('apps', 'rollout', 'second', '--force')
      expect(await answer('second', { text: 'new' })).toMatchObject({ text: 'new' })
    })
  })

  describe('request_start_timeout', () => {
    const late = async (response: Response) => {
      const { status, headers } = response
      await response.arrayBuffer()
      return [status, headers.get('x-fal-request-timeout-type')]
    }

    test('bounds how long the owner’s requests wait, unless they say so themselves', async () => {
      const open = join(carrick.shared, 'open')
      await fal('apps', 'set-rev', 'many-words', String(live('many-words')['revision']), '--auth', 'shared')
      await fal('apps', 'scale', 'many-words', '--max-multiplexing', '1', '--request-start-timeout', '1')
      const { key_id, key_secret } = JSON.parse(
        (await carrick.carrick('accounts', 'create', 'carol', '--json')).stdout,
      ) as Record<string, string>

      const first = ask('/tester/many-words', { until: open }, { 'x-fal-request-timeout': '100' })
      await until(async () => (await carrick.status()).running === 1, 'the slot to be taken')
      const patient = ask('/tester/many-words', {}, { 'x-fal-request-timeout': '100' })
      const stranger = ask('/tester/many-words', {}, {}, `${key_id}:${key_secret}`)
      const queued = (await (await ask('/queue/tester/many-words', {})).json()) as { request_id: string }
      const result = () => carrick.ask(`/queue/tester/many-words/requests/${queued.request_id}`)

      expect(await late(await ask('/tester/many-words', {}))).toEqual([504, 'user'])
      await until(async () => (await result()).status === 504, 'the queued request to give up')
      expect(await late(await result())).toEqual([504, 'user'])
      await writeFile(open, '')
      for (const each of await Promise.all([first, patient, stranger])) expect(await late(each)).toEqual([200, null])
    })
  })

  describe('calls apps by `fal api`', () => {
    test('through the queue, and shows the logs of what failed', async () => {
      expect((await fal('api', 'tester/many-words', 'text=marmalade')).stdout).toContain("'text': 'marmalade'")
      const failed = await carrick.fal('api', 'tester/many-words', 'text=no bread', 'fail:=true')
      expect(failed.code).toBe(1)
      expect(said(failed)).toMatch(/ValueError: no bread[^]*failed with HTTP 500/)
    })

    test('as a stream', async () => {
      const { stdout } = await fal('api', 'tester/many-words/stream', 'text=bread and butter')
      expect(stdout.match(/data: .*/g)).toHaveLength(3)
    })
  })

  describe('talks to nobody, or only about itself:', () => {
    test('profiles hold a key and a host, and commands go by them', async () => {
      const settings = { FAL_CONFIG_PATH: join(folder, 'config.toml') }
      const profile = async (args: string[], input = '') => {
        const ended = await carrick.falIn(folder, ['profile', ...args], settings, input)
        expect(ended.code, said(ended)).toBe(0)
        return ended.stdout
      }
      await profile(['create', 'home'])
      await profile(['create', 'away'])
      await profile(['set', 'home'])
      // The client derives its other addresses from a name that begins with `api`.
      await profile(['host', `api.localhost:${new URL(carrick.url).port}`])
      await profile(['key'], `${carrick.variables['FAL_KEY']}\n`)
      expect(JSON.parse(await profile(['list', '--json']))).toEqual({
        profiles: [
          { profile: 'home', is_set: true, settings: ['host', 'key'] },
          { profile: 'away', is_set: false, settings: [] },
        ],
      })
      const none = { FAL_KEY: '', FAL_GRPC_HOST: '', FAL_REST_HOST: '' }
      const apps = await carrick.falIn(folder, ['apps', 'list', '--json'], { ...settings, ...none })
      expect(said(apps)).toContain('many-words')
      await profile(['unset'])
      await profile(['delete', 'away'])
      expect(await profile(['list'])).not.toContain('away')
    })

    test('doctor, whoami, completion', async () => {
      expect(json(await fal('doctor', '--json'))).toMatchObject({
        fal: '1.83.0',
        FAL_HOST: carrick.variables['FAL_GRPC_HOST'],
      })
      expect((await fal('auth', 'whoami')).stdout).toContain('tester')
      const shells = ['bash', 'zsh', 'tcsh', 'fish']
      const scripts = await Promise.all(shells.map(async (shell) => (await fal('completion', shell)).stdout))
      for (const script of scripts) expect(script).toContain('fal')
    })

    test('accounts are listed to a key over REST; the command itself wants a login of the vendor’s', async () => {
      expect(await (await carrick.ask('/users/teams')).json()).toMatchObject([
        { nickname: 'tester', is_personal: true, is_org: false, lock_reason: null },
      ])
      const nobody = { FAL_CONFIG_PATH: join(folder, 'nobody.toml'), HOME: folder }
      const commands = [['list'], ['list', '--json'], ['set', 'tester'], ['unset']]
      const asked = commands.map((args) => carrick.falIn(folder, ['account', ...args], nobody))
      for (const ended of await Promise.all(asked)) expect(said(ended)).toContain('You must be authenticated')
    })
  })

  test('every command finds the app of an environment, and that one alone', async () => {
    const env = ['--env', 'staging']
    await fal('environments', 'create', 'staging')
    const { revision, app_name } = await deploy('many_words.py', '--app-name', 'second', '--detach', ...env)
    expect(app_name).toBe('second')
    const [aliases, revisions] = await Promise.all([list(...env), fal('apps', 'list-rev', 'second', ...env)])
    expect(aliases).toEqual(['second--staging'])
    expect(revisions.stdout).toContain(revision)
    await fal('apps', 'set-rev', 'second', revision, '--auth', 'public', ...env)
    await fal('apps', 'scale', 'second', '--keep-alive', '77', ...env)
    expect(live('second--staging')).toMatchObject({ revision, auth_mode: 'public', keep_alive: 77 })
    expect(live('second')).toMatchObject({ keep_alive: 60 })
    await fal('apps', 'rollout', 'second', ...env)
    const { runners } = json(await fal('apps', 'runners', 'second', '--json', ...env)) as Runners
    expect(runners.filter(({ alias }) => alias !== 'second--staging')).toEqual([])
    await fal('apps', 'delete', 'second', ...env)
    expect(await list(...env)).toEqual([])
  })

  test('delete ends an app', async () => {
    await fal('apps', 'delete', 'second')
    expect(await list()).not.toContain('second')
    expect((await fal('apps', 'delete', 'second')).stdout).toContain('not found')
  })
})

const filesTable = (python: string) => `
[tool.fal.apps.beside]
ref = "beside.py::Beside"
app_files = ["beside"]
app_files_ignore = ["scratch"]
app_files_context_dir = "."
data_mounts = ["/data/shared/models"]
requirements = []
python_version = "${python}"
machine_type = "XS"
`

/** Every key but those of images, of files and of mounts. The client drops `requirements` where the class has its own. */
const tables = (python: string) => `
[tool.fal.apps.everything]
ref = "plain.py::Plain"
name = "every-thing"
team = "tester"
auth = "shared"
deployment_strategy = "recreate"
app_scale_settings = true
requirements = ["six==1.17.0"]
requirements_context_dir = "."
python_version = "${python}"
machine_type = ["XS", "S"]
num_gpus = 0
regions = ["us-east"]
min_concurrency = 0
max_concurrency = 3
max_multiplexing = 4
concurrency_buffer = 1
concurrency_buffer_perc = 10
scaling_delay = 5
keep_alive = 123
request_timeout = 61
request_start_timeout = 62
startup_timeout = 63
exposed_port = 8081
metrics_port = 9091
termination_grace_period_seconds = 7
private_logs = true
secrets = ["FAL_KEY"]
skip_retry_conditions = ["timeout"]
retry_config = { server_error = { retries = 1 } }
_scheduler = "nomad"
_scheduler_options = { storage_region = "us-east" }

[tool.fal.apps.everything.health_check]
path = "/health"
method = "GET"
start_period_seconds = 64
timeout_seconds = 6
failure_threshold = 4
call_regularly = false

[tool.fal.apps.unknown]
ref = "many_words.py::ManyWords"
colour = "red"
`

const entryPoint = (requirement: string, python: string) => `
[tool.fal.apps.greeter]
python_entry_point = "tiny_greeter:Greeter"
requirements = ["${requirement}"]
python_version = "${python}"
machine_type = "XS"
keep_alive = 45
auth = "public"
`

/** Says what it was asked, and makes a bare virtual environment. */
const condaTest = onDocker
  ? 'a conda environment: not with containers, for the micromamba here is a made-up one of this machine (docker/conda.docker.test.ts has one)'
  : 'a conda environment once micromamba is there; before, it says what to do'

const fakeMicromamba = (folder: string, python: string) => `#!/bin/sh
if [ "$1" = --version ]; then echo 2.0.5; exit; fi
echo "$@" > ${folder}/micromamba-was-asked
while [ "$1" != --prefix ]; do shift; done
for python in "$HOME/.pyenv/versions/${python}".*/bin/python3 /usr/local/bin/python${python} /usr/bin/python${python}; do
  [ -x "$python" ] && exec "$python" -m venv --without-pip "$2"
done
exit 1
`
