import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

const json = { 'content-type': 'application/json' }

interface Listed {
  readonly key_id: string
  readonly scope: string | null
  readonly description: string
}

describe('keys and accounts', () => {
  let carrick: Carrick
  let guest = ''
  beforeAll(async () => {
    carrick = await Carrick.start()
    for (const mode of ['private', 'shared', 'public']) await carrick.deploy('echo.py::Echo', mode, '--auth', mode)
    const made = await carrick.carrick('accounts', 'create', 'guest', '--json')
    const { key_id, key_secret } = JSON.parse(made.stdout) as Record<string, string>
    guest = `${key_id}:${key_secret}`
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  /** Makes a key with the stock command. */
  async function create(...grant: string[]): Promise<string> {
    const { stdout, stderr } = await carrick.fal('keys', 'create', ...grant)
    const [, key] = /FAL_KEY='(\S+)'/.exec(stdout) ?? []
    if (key === undefined) throw new Error(`no key was made: ${stdout}${stderr}`)
    return key
  }

  async function listed(key: string): Promise<Listed | undefined> {
    const { stdout } = await carrick.fal('keys', 'list', '--output', 'json')
    const { keys } = JSON.parse(stdout) as { keys: Listed[] }
    return keys.find(({ key_id }) => key.startsWith(`${key_id}:`))
  }

  const post = (path: string, key: string | null, body: object = {}) =>
    carrick.ask(path, { key, method: 'POST', headers: json, body: JSON.stringify(body) })
  const falAs = async (key: string, command: string) => {
    const ended = await carrick.falWith({ FAL_KEY: key }, ...command.split(' '))
    return { code: ended.code, said: ended.stdout + ended.stderr }
  }

  test('a READONLY key sees apps, and neither calls nor changes them, nor makes keys', async () => {
    const key = await create('--preset', 'READONLY', '--desc', 'for the wall')
    expect(await listed(key)).toMatchObject({ scope: null, description: 'for the wall' })
    expect((await falAs(key, 'apps list')).said).toContain('private')
    expect((await falAs(key, 'runners list')).code).toBe(0)
    for (const command of ['apps scale private --keep-alive 9', 'apps delete private', 'keys create --preset API']) {
      const refused = await falAs(key, command)
      expect([command, refused.code]).toEqual([command, 1])
      expect(refused.said).toContain('Insufficient permissions')
    }
    expect((await post('/tester/private', key)).status).toBe(403)
    expect((await post('/queue/tester/private', key)).status).toBe(403)
  })

  test.each([
    [['--preset', 'API'], 'API'],
    [['--scope', 'API'], 'API'],
  ])('a key made with %j calls apps and deploys none', async (grant, scope) => {
    const key = await create(...grant)
    expect(await listed(key)).toMatchObject({ scope })
    expect((await post('/tester/private', key, { text: 'hi' })).status).toBe(200)
    const refused = await falAs(key, 'deploy test/e2e/apps/echo.py::Echo --app-name more')
    expect([refused.code, refused.said]).toEqual([1, expect.stringContaining('Insufficient permissions')])
  })

  test.each([
    [['--preset', 'FULL'], 'ADMIN'],
    [['--scope', 'ADMIN'], 'ADMIN'],
  ])('a key made with %j makes keys', async (grant, scope) => {
    const key = await create(...grant)
    expect(await listed(key)).toMatchObject({ scope })
    expect((await falAs(key, 'keys create --preset API')).said).toContain('FAL_KEY=')
  })

  test('a key of single permissions holds those, and may not ask whose it is', async () => {
    const key = await create('--permission', 'apps:read,models:requests:submit', '--permission', 'keys:write')
    expect((await falAs(key, 'apps list')).code).toBe(0)
    expect((await post('/tester/private', key)).status).toBe(200)
    const me = await carrick.ask('/users/current', { key })
    expect([me.status, await me.json()]).toEqual([
      403,
      expect.objectContaining({ detail: expect.stringContaining('Insufficient permissions') }),
    ])
    const more = await falAs(key, 'keys create --preset FULL')
    expect([more.code, more.said]).toEqual([1, expect.stringContaining('cannot grant more than it holds')])
  })

  test('a permission that nobody knows is refused by name', async () => {
    const { code, said } = await falAs(carrick.variables['FAL_KEY'] ?? '', 'keys create --permission moon:land')
    expect([code, said]).toEqual([1, expect.stringContaining('"moon:land" is not a permission')])
  })

  test('the list for people has every key and no secret, and none of the keys of runners', async () => {
    const key = await create('--preset', 'DEPLOY', '--desc', 'for CI')
    expect((await post('/tester/private', carrick.variables['FAL_KEY'] ?? '')).status).toBe(200)
    const { stdout } = await carrick.fal('keys', 'list')
    const [id = '', secret = ''] = key.split(':')
    expect(stdout).toContain(id)
    expect(stdout).toContain('for CI')
    expect(stdout).not.toContain(secret)
    expect(stdout).not.toContain('runner ')
  })

  test('a revoked key stops, everywhere', async () => {
    const key = await create('--preset', 'FULL')
    expect((await carrick.ask('/users/current', { key })).status).toBe(200)
    expect((await carrick.fal('keys', 'revoke', key.split(':')[0] ?? '')).code).toBe(0)
    expect((await carrick.ask('/users/current', { key })).status).toBe(401)
    expect((await post('/tester/private', key)).status).toBe(401)
    expect((await falAs(key, 'apps list')).code).toBe(1)
    expect(await listed(key)).toBeUndefined()
    const unknown = await carrick.fal('keys', 'revoke', 'no-such-key')
    expect([unknown.code, unknown.stdout + unknown.stderr]).toEqual([1, expect.stringContaining('not found')])
  })

  describe('another account', () => {
    test('calls shared and public apps, and private ones are not there', async () => {
      const statuses = async (key: string | null) =>
        Promise.all(['private', 'shared', 'public'].map(async (app) => (await post(`/tester/${app}`, key)).status))
      expect(await statuses(guest)).toEqual([404, 200, 200])
      expect(await statuses(null)).toEqual([401, 401, 200])
    })

    test('finds no apps, runners, logs, results or keys of others', async () => {
      const mine = carrick.variables['FAL_KEY'] ?? ''
      const { request_id: id } = (await (await post('/queue/tester/private', mine)).json()) as { request_id: string }
      const result = (key: string) => carrick.ask(`/queue/tester/private/requests/${id}`, { key })
      await until(async () => (await result(mine)).status === 200, 'the result')
      const { runner } = (await (await result(mine)).json()) as { runner: string }
      expect((await result(guest)).status).toBe(404)
      expect((await falAs(mine, 'apps list')).said).toContain('private')
      expect((await falAs(guest, 'apps list')).said).not.toContain('private')
      expect((await falAs(guest, 'runners list')).said).not.toContain(runner)
      for (const command of [`runners kill ${runner}`, `runners logs ${runner}`, `keys revoke ${mine.split(':')[0]}`]) {
        const refused = await falAs(guest, command)
        expect([refused.code, refused.said]).toEqual([1, expect.stringContaining('not found')])
      }
    })

    test('deploys under its own name, and makes no accounts', async () => {
      const { code, said } = await falAs(guest, 'deploy test/e2e/apps/echo.py::Echo --app-name private')
      expect([code, said]).toEqual([0, expect.stringContaining('guest/private')])
      expect((await post('/guest/private', guest, { text: 'mine' })).status).toBe(200)
      expect((await post('/guest/private', carrick.variables['FAL_KEY'] ?? '')).status).toBe(404)
      expect((await post('/v1/accounts', guest, { nickname: 'third' })).status).toBe(403)
    })

    test('is listed, and its name is taken', async () => {
      const { stdout } = await carrick.carrick('accounts', 'list')
      expect(stdout.split('\n').map((line) => line.split(' ')[0])).toEqual(['tester', 'guest', ''])
      const again = await carrick.carrick('accounts', 'create', 'guest')
      expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('There is an account "guest" already')])
      const reserved = await carrick.carrick('accounts', 'create', 'queue')
      expect([reserved.code, reserved.stderr]).toEqual([1, expect.stringContaining('cannot be an owner')])
    })
  })

  test('the first key, revoked, is replaced at the next start', async () => {
    const first = carrick.variables['FAL_KEY'] ?? ''
    expect((await carrick.fal('keys', 'revoke', first.split(':')[0] ?? '')).code).toBe(0)
    expect((await carrick.carrick('status')).code).toBe(1)
    await carrick.down()
    await carrick.up()
    expect(carrick.variables['FAL_KEY']).not.toBe(first)
    expect((await carrick.fal('apps', 'list')).stdout).toContain('private')
    expect((await carrick.ask('/users/current', { key: first })).status).toBe(401)
  })
})
