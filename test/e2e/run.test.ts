import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, clients, root, until } from './carrick.ts'
import { requirementOfTinyPackage } from './tiny-package.ts'

const addition = { method: 'POST', body: '{"a": 2, "b": 3}', headers: { 'content-type': 'application/json' } }

/** What a pickle that ran wrote down. */
interface Note {
  readonly process: number
  readonly runner: string | null
}

/** Whether a process of this runner lives, as the machine sees it: in the runner every program has the same number. */
const runs = (runner: string | undefined) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => variablesOf(pid).includes(`CARRICK_RUNNER_ID=${runner}`))

function variablesOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return '' // it has ended meanwhile
  }
}

/** `fal run` and functions called from Python, by the unmodified tools. */
describe('runs', () => {
  let carrick: Carrick
  beforeAll(async () => void (carrick = await Carrick.start()))
  afterAll(() => carrick[Symbol.asyncDispose]())

  const run = (ref: string, ...flags: string[]) => carrick.fal('run', `test/e2e/apps/${ref}`, ...flags)
  const apps = async () =>
    (JSON.parse((await carrick.fal('apps', 'list', '--json')).stdout) as { apps: { alias: string }[] }).apps
  const nothingLeft = async () => (await carrick.status()).runners === 0 && (await apps()).length === 0

  /** A program with the functions of `functions.py`; what it prints last is JSON. */
  const python = <T>(lines: string) =>
    carrick.python<T>(
      `import sys, json, contextlib\nsys.path.insert(0, 'test/e2e/apps')\nwith contextlib.redirect_stdout(sys.stderr):\n` +
        `  import functions\n${lines.replaceAll(/^/gm, '  ')}\nprint(json.dumps(answer))`,
    )

  /** `fal run` in the background, and what it has said. */
  async function background(ref: string, flags: readonly string[] = [], cwd = root) {
    const child = spawn(join(await clients(), 'bin', 'fal'), ['run', ref, ...flags], {
      cwd,
      env: { ...process.env, COLUMNS: '300', PYTHONUNBUFFERED: '1', ...carrick.variables },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
    return { child, said: () => said }
  }

  const address = (said: string) => /Sync\s+(https\S+?)(?:\/\s|\/?\n)/.exec(said)?.[1]

  /** An app that runs in the background, and the address that was printed. */
  async function running(ref: string, ...flags: string[]): Promise<{ child: ChildProcess; url: string; said: string }> {
    const { child, said } = await background(`test/e2e/apps/${ref}`, flags)
    await until(() => address(said()) !== undefined, 'the address')
    return { child, url: address(said()) ?? '', said: said() }
  }

  test('a function prints and returns; its runner is no app, and goes when nobody calls it again', async () => {
    const { code, stdout } = await run('functions.py::add')
    expect(code, stdout).toBe(0)
    expect(stdout).toContain('adding 2 and 3')
    expect(await apps()).toEqual([])
    expect((await carrick.status()).apps).toBe(0)
    await until(nothingLeft, 'the end of the runner')
  })

  test('an exception comes with its causes', async () => {
    const { code, stdout } = await run('functions.py::spoil')
    expect(code).toBe(1)
    expect(stdout).toMatch(/KeyError: 'milk'[^]*direct cause[^]*Spoilt: \('milk', 250\)/)
  })

  test('a killed function and one that exits say so', async () => {
    expect((await run('functions.py::die')).stdout).toContain('crashed')
    expect((await run('functions.py::leave')).stdout).toMatch(/exit code 3[^]*the last words/)
  })

  test('request_timeout bounds a function', async () => {
    expect((await run('functions.py::too_slow')).stdout).toContain('longer than 2 s (request_timeout)')
  })

  test('a raising setup() ends the run with its traceback', async () => {
    const { code, stdout } = await run('broken_setup.py::Echo')
    expect(code).toBe(1)
    expect(stdout).toContain('the weights are missing')
    await until(nothingLeft, 'the end of the run, and of functions that were called before')
  })

  test.each(['SIGINT', 'SIGHUP', 'SIGKILL'] as const)('an app serves until %s ends its command', async (signal) => {
    const { child, url } = await running('function.py::add')
    expect(url).toMatch(/\/tester\/add-[0-9a-f]{12}$/)
    const call = { ...addition, key: null }
    const answer = await carrick.ask(new URL(url).pathname, call)
    expect(await answer.json()).toEqual({ sum: 5 })
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
    await until(nothingLeft, 'the end of the run')
    expect((await carrick.ask(new URL(url).pathname, call)).status).toBe(401)
  })

  test('functions called from Python answer values, large ones too, and several at once do not mix', async () => {
    const answer = await python<unknown>(
      `from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as pool:
  echoes = list(pool.map(lambda text: functions.echo_slowly(text, 0.5), ['one', 'two', 'three']))
answer = [functions.add(4, b=5), len(functions.large(8 * 1024 * 1024 + 1)), functions.weighed(2), echoes]`,
    )
    expect(answer).toEqual([9, 8 * 1024 * 1024 + 1, 42, ['one', 'two', 'three']])
  })

  test('an exception raised in Python is of the author’s class, with its cause', async () => {
    const answer = await python<unknown>(
      `try: functions.spoil()
except Exception as error: answer = [type(error).__name__, error.args, repr(error.__cause__)]`,
    )
    expect(answer).toEqual(['Spoilt', ['milk', 250], "KeyError('milk')"])
  })

  test('a second call is made by the same process, with what its setup function returned, also from another client', async () => {
    interface Reused {
      readonly runner: string
      readonly thread: boolean
    }
    const [first, second] = await python<Reused[]>('answer = [functions.reuse(), functions.reuse()]')
    const [third] = await python<Reused[]>('answer = [functions.reuse.submit().result()]')
    expect(second).toEqual(first)
    expect(third).toEqual({ runner: first?.runner, thread: true })
    await run('functions.py::reuse')
    const { stdout } = await run('functions.py::reuse')
    expect(stdout).not.toContain('opening the lock')
  })

  test('a process that dies takes its own call along, and the next call has another', async () => {
    const answer = await python<[string, string, string, string]>(
      `said = []
first = functions.die_once('not')
for how in ('kill', 'exit'):
  try: functions.die_once(how)
  except Exception as error: said.append(str(error))
answer = [*said, first, functions.die_once('not')]`,
    )
    expect(answer[0]).toContain('crashed')
    expect(answer[1]).toContain('exit code 7')
    expect(answer[3]).not.toBe(answer[2])
  })

  test('what a function returns need not come from a plain function, but must be a value', async () => {
    const answer = await python<unknown[]>(
      `try: functions.unsendable()
except Exception as error: refused = str(error)
try: functions.lacking()
except Exception as error: lacking = type(error).__name__
answer = [functions.later(7), refused, lacking, functions.coloured()]`,
    )
    expect(answer).toEqual([7, expect.stringContaining('cannot be sent back'), 'ModuleNotFoundError', '0.4.6'])
  })

  test('an environment is built inside the call, and what the build says is streamed', async () => {
    const answer = await python<string[]>(
      `from fal.api import ResultHandler
class Lines(list, ResultHandler):
  def on_log(self, log): self.append(log.source.name)
lines = Lines()
fresh = functions.coloured.on(requirements=['colorama==0.4.5'])
host = fresh.host
assert host.run(fresh.func, fresh.options, (), {}, result_handler=lines) == '0.4.5'
answer = sorted(set(lines))`,
    )
    expect(answer).toContain('BUILDER')
  })

  test('spawned functions have lines of their own each, and cancelling one ends its process', async () => {
    const answer = await python<{ heard: string[]; alive: boolean[] }>(
      `import glob, re, time
def first(info):
  while True:
    log = info.logs.get(timeout=60)
    if log.source.name == 'USER': return log.message
infos = [functions.echo_slowly.spawn(text, 1) for text in ('one', 'two', 'three')]
heard = [first(info) for info in infos]
sleeper = functions.sleeper.spawn()
mark = ('CARRICK_RUNNER_ID=' + re.search(r'sleeping in (\\S+)', first(sleeper)).group(1)).encode()
def variables(file):
  try: return open(file, 'rb').read()
  except OSError: return b''
def alive(): return any(mark in variables(file) for file in glob.glob('/proc/[0-9]*/environ'))
states = [alive()]
sleeper.stream.cancel()
end = time.monotonic() + 60
while alive() and time.monotonic() < end: time.sleep(0.1)
answer = {'heard': heard, 'alive': [*states, alive()]}`,
    )
    expect(answer.heard).toEqual(['hearing one', 'hearing two', 'hearing three'])
    expect(answer.alive).toEqual([true, false])
  })

  test.each(['SIGINT', 'SIGKILL'] as const)('the process of a function ends with its client, by %s', async (signal) => {
    const { child, said } = await background('test/e2e/apps/functions.py::sleeper')
    const found = () => /sleeping in (\S+)/.exec(said())?.[1]
    await until(() => found() !== undefined, 'the process')
    expect(runs(found())).toBe(true)
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
    await until(() => !runs(found()), 'its end')
  })

  test('what threads and child processes print belongs to the call, and a line without an end is shown', async () => {
    const { stdout } = await run('functions.py::speak')
    for (const line of ['from a thread', 'from a child', 'without an end']) expect(stdout).toContain(line)
  })

  test('flags: a name, the secrets of an environment, a machine type, a build without cache, who may call', async () => {
    for (const args of [
      ['environments', 'create', 'staging'],
      ['secrets', 'set', 'TOKEN=nekot', '--env', 'staging'],
    ])
      expect((await carrick.fal(...args)).code).toBe(0)
    const told = await run('functions.py::secret', '--env', 'staging', '--app-name', 'teller', '--no-cache')
    expect(told.stdout).toMatch(/the app is tester\/teller-[0-9a-f]{12}--staging[^]*the token is token/)
    expect((await run('functions.py::secret')).stdout).toContain('the token is gnissim')

    const { child, url } = await running('function.py::add', '--auth', 'private', '--machine-type', 'M')
    expect((await carrick.ask(new URL(url).pathname, { ...addition, key: null })).status).toBe(401)
    expect(await (await carrick.ask(new URL(url).pathname, addition)).json()).toEqual({ sum: 5 })
    expect((await carrick.fal('runners', 'list', '--json')).stdout).toContain('"machine_type": "M"')
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    await ended
  })

  // `--local` and its ports talk to nobody, and would listen on every address of this machine.
  test('--forward-compat chooses nothing here', async () => {
    const { code, stdout } = await run('functions.py::add', '--forward-compat')
    expect(code, stdout).toBe(0)
    expect(stdout).toContain('adding 2 and 3')
  })

  // The client sends the wish to build anew for apps alone, not for functions.
  test('--force-env-build builds an environment that is there; --limit-max-requests ends an app after so many calls', async () => {
    const { child, url, said } = await running('echo.py::Echo', '--force-env-build', '--limit-max-requests', '1')
    expect(said).toContain('Building an environment')
    const ended = once(child, 'exit')
    expect((await carrick.ask(new URL(url).pathname, { ...addition, body: '{}' })).status).toBe(200)
    expect((await ended)[0]).toBe(0)
  })

  test('AppClient starts an app, waits until it is healthy, calls it, and leaves nothing', async () => {
    const answer = await python<unknown>(
      `import echo
from fal.app import AppClient
with AppClient.connect(echo.Echo) as client:
  answer = [client.health(), client.echo(echo.Words(text='hello'))['text']]`,
    )
    expect(answer).toEqual([expect.objectContaining({ version: expect.any(String) }), 'hello'])
    await until(async () => (await apps()).length === 0, 'the end of the app')
  })

  test('apps and functions that are given by entry point run, and say what they are', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'carrick-entry-points-'))
    const requirement = await requirementOfTinyPackage(carrick, folder)
    const tables = Object.entries({ greeter: 'Greeter', wave: 'wave' }).map(
      ([name, symbol]) =>
        `[tool.fal.apps.${name}]\npython_entry_point = "tiny_greeter:${symbol}"\nrequirements = ["${requirement}"]\n`,
    )
    await writeFile(join(folder, 'pyproject.toml'), tables.join(''))
    try {
      const waving = await background('wave', [], folder)
      expect((await once(waving.child, 'close'))[0], waving.said()).toBe(0)
      expect(waving.said()).toContain('waving from an entry point')

      const { child, said } = await background('greeter', [], folder)
      await until(() => address(said()) !== undefined, 'the address')
      const path = new URL(address(said())!).pathname
      expect(path).toMatch(/\/greet$/) // what the app says of itself came before
      const answer = await carrick.ask(path, { ...addition, body: '{"name": "you"}' })
      expect(await answer.json()).toMatchObject({ text: 'hello you' })
      const ended = once(child, 'exit')
      child.kill('SIGINT')
      await ended
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('a hostile pickle runs in a runner and nowhere else', async () => {
    const trace = join(carrick.shared, 'trace')
    const program = join(await clients(), 'bin', 'python')
    const env = { ...process.env, ...carrick.variables }
    await promisify(execFile)(program, ['test/e2e/apps/hostile.py', trace], { cwd: root, env })
    const notes = (await readFile(trace, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Note)
    expect(notes.length).toBeGreaterThanOrEqual(4) // function and setup function, app, deploy
    for (const { process: pid, runner } of notes) {
      expect(runner).toMatch(/^[0-9a-f-]{36}$/)
      expect(pid).not.toBe(carrick.pid)
    }
    await carrick.fal('apps', 'delete', 'hostile')
  })

  test('a server that was killed leaves no run behind', async () => {
    const { child } = await running('function.py::add')
    const ended = once(child, 'exit')
    await carrick.down('SIGKILL')
    child.kill('SIGKILL')
    await ended
    await carrick.up()
    expect(await nothingLeft()).toBe(true)
  })

  test('a server that is stopped ends its runs', async () => {
    const { child } = await running('function.py::add')
    const ended = once(child, 'exit')
    expect(await carrick.down()).toBe(0)
    expect((await ended)[0]).toBe(1)
  })
})
