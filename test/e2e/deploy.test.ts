import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick } from './carrick.ts'

/** The stock `fal` 1.83.0 against a real server: deploy, look, roll back, scale, delete. */
describe('the stock fal command', () => {
  let carrick: Carrick
  beforeAll(async () => void (carrick = await Carrick.start()))
  afterAll(() => carrick[Symbol.asyncDispose]())

  const call = (app: string, body: object) =>
    carrick.python<{ text: string; revision: string }>(
      'import fal_client, json, sys; print(json.dumps(fal_client.run(sys.argv[1], json.loads(sys.argv[2]))))',
      `tester/${app}`,
      JSON.stringify(body),
    )

  /** Keeps runners for longer than a command takes on a slow machine. */
  const stays = async () => expect((await carrick.fal('apps', 'scale', 'echo', '--keep-alive', '300')).code).toBe(0)

  test('whoami and doctor answer', async () => {
    expect((await carrick.fal('auth', 'whoami')).stdout).toContain('tester')
    expect((await carrick.fal('doctor')).code).toBe(0)
  })

  test('deploys an App, which is then called', async () => {
    const revision = await carrick.deploy('echo.py::Echo', 'echo', '--message', 'the first')
    expect(await call('echo', { text: 'hi' })).toMatchObject({ text: 'hi', revision })
  })

  test('deploys a function with serve=True, which is then called', async () => {
    await carrick.deploy('function.py::add', 'add')
    expect(await call('add', { a: 2, b: 3 })).toEqual({ sum: 5 })
  })

  test('prints where the app can be reached', async () => {
    const { code, stdout } = await carrick.fal('deploy', 'test/e2e/apps/function.py::add', '--app-name', 'add')
    expect(code).toBe(0)
    expect(stdout.replaceAll(/\s+/g, '')).toContain('/queue/tester/add')
  })

  test('lists apps, revisions and runners', async () => {
    expect(JSON.parse((await carrick.fal('apps', 'list', '--json')).stdout)).toMatchObject({ apps: expect.any(Array) })
    expect((await carrick.fal('apps', 'list-rev', 'echo')).code).toBe(0)
    await stays()
    await call('echo', { text: 'a runner, please' })
    expect((await carrick.fal('apps', 'runners', 'echo', '--json')).stdout).toContain('echo')
    expect((await carrick.fal('runners', 'list', '--json')).stdout).toContain('echo')
  })

  test('a second revision answers, and set-rev brings the first one back', async () => {
    const first = (await call('echo', {})).revision
    const second = await carrick.deploy('echo.py::Echo', 'echo')
    expect(second).not.toBe(first)
    expect((await call('echo', {})).revision).toBe(second)
    const back = await carrick.fal('apps', 'set-rev', 'echo', first)
    expect(back.code, back.stderr).toBe(0)
    expect((await call('echo', {})).revision).toBe(first)
  })

  test('scale changes what is live, a deploy keeps it, --reset-scale takes the code’s', async () => {
    const keepAlive = async () =>
      (
        JSON.parse((await carrick.fal('apps', 'list', '--json')).stdout) as {
          apps: { alias: string; keep_alive: number }[]
        }
      ).apps.find(({ alias }) => alias === 'echo')?.keep_alive
    expect((await carrick.fal('apps', 'scale', 'echo', '--keep-alive', '77')).code).toBe(0)
    expect(await keepAlive()).toBe(77)
    await carrick.deploy('echo.py::Echo', 'echo')
    expect(await keepAlive()).toBe(77)
    await carrick.deploy('echo.py::Echo', 'echo', '--reset-scale', '--strategy', 'recreate')
    expect(await keepAlive()).toBe(2)
  })

  test('runner logs hold what the app printed', async () => {
    const { runner } = await carrick.python<{ runner: string }>(
      'import fal_client, json; print(json.dumps(fal_client.run("tester/echo", {"text": "marmalade"})))',
    )
    expect((await carrick.fal('runners', 'logs', runner)).stdout).toContain('echoing marmalade')
  })

  test('stop and kill end a runner; an unknown one is "not found"', async () => {
    await stays()
    const { runner } = await carrick.python<{ runner: string }>(
      'import fal_client, json; print(json.dumps(fal_client.run("tester/echo", {})))',
    )
    expect((await carrick.fal('runners', 'kill', runner)).code).toBe(0)
    const unknown = await carrick.fal('runners', 'stop', '01900000-0000-7000-8000-000000000000')
    expect(unknown.code).toBe(1)
    expect(unknown.stdout + unknown.stderr).toContain('not found')
  })

  test('a server that was stopped and started still serves what was deployed', async () => {
    await carrick.down()
    await carrick.up()
    expect(await call('echo', { text: 'still here' })).toMatchObject({ text: 'still here' })
  })

  test('a deleted app is not found any more', async () => {
    expect((await carrick.fal('apps', 'delete', 'add')).code).toBe(0)
    await expect(call('add', { a: 1, b: 1 })).rejects.toThrow('not found')
  })

  test('a wrong key is refused', async () => {
    const key = carrick.variables['FAL_KEY']
    carrick.variables['FAL_KEY'] = `${key?.split(':')[0]}:wrong`
    const refused = await carrick.fal('apps', 'list')
    carrick.variables['FAL_KEY'] = key ?? ''
    expect(refused.code).toBe(1)
  })
})
