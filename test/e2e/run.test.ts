import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, clients, root, until } from './carrick.ts'

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

  /** `fal run` in the background, and the address it printed. */
  async function running(ref: string): Promise<{ child: ChildProcess; url: string }> {
    const child = spawn(join(await clients(), 'bin', 'fal'), ['run', `test/e2e/apps/${ref}`], {
      cwd: root,
      env: { ...process.env, COLUMNS: '300', PYTHONUNBUFFERED: '1', ...carrick.variables },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout?.on('data', (bytes: Buffer) => (said += bytes.toString()))
    const address = () => /Sync\s+(https\S+?)\/\s/.exec(said)?.[1]
    await until(() => address() !== undefined, 'the address')
    return { child, url: address() ?? '' }
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
    expect(await nothingLeft()).toBe(true)
  })

  test.each(['SIGINT', 'SIGHUP', 'SIGKILL'] as const)('an app serves until %s ends its command', async (signal) => {
    const { child, url } = await running('function.py::add')
    expect(url).toMatch(/\/tester\/add-[0-9a-f]{12}$/)
    const call = {
      method: 'POST',
      key: null,
      body: '{"a": 2, "b": 3}',
      headers: { 'content-type': 'application/json' },
    }
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

  // The client was seen once to hang after the server had ended the call; why is not known. No other test is tried again.
  test('an exception raised in Python is of the author’s class, with its cause', { retry: 1 }, async () => {
    const answer = await python<unknown>(
      `try: functions.spoil()
except Exception as error: answer = [type(error).__name__, error.args, repr(error.__cause__)]`,
    )
    expect(answer).toEqual(['Spoilt', ['milk', 250], "KeyError('milk')"])
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
