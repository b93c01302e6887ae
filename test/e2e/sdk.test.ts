import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, onDocker } from './carrick.ts'

/** An engine gives no GPU that is made up: with containers the app is one that asks for none. */
const app = onDocker ? 'Clerk' : 'Painter'

/** The client of the stock SDK (`fal.api.SyncServerlessClient`), every call of it. */
describe('the SDK’s client', () => {
  let carrick: Carrick
  beforeAll(
    async () => void (carrick = await Carrick.start({ CARRICK_GPUS: 'H100,H100', CARRICK_MEMORY: String(2 ** 40) })),
  )
  afterAll(() => carrick[Symbol.asyncDispose]())

  /** Lines that have `client`, and put into `answer` what this answers. */
  const sdk = <T>(lines: string) =>
    carrick.python<T>(
      'import contextlib, json, sys, warnings\nfrom fal.api.client import SyncServerlessClient\n' +
        `client = SyncServerlessClient()\nwith contextlib.redirect_stdout(sys.stderr):\n` +
        `${lines.replaceAll(/^/gm, '  ')}\nprint(json.dumps(answer))`,
    )

  test('deploys, and says where', async () => {
    const answer = await sdk<{ name: string; revision: string; endpoint: string; auth: string }>(
      `done = client.deploy('test/e2e/apps/gpus.py::${app}', app_name='racks', auth='public', strategy='recreate', message='by the SDK')
answer = dict(name=done.app_name, revision=done.revision, endpoint=str(done.urls), auth=str(done.auth_mode))`,
    )
    expect(answer).toMatchObject({ name: 'racks', auth: 'public' })
    expect(answer.endpoint).toContain('/tester/racks')
  })

  test('apps: list, scale, runners, gpus, rollout', async () => {
    const answer = await sdk<Record<string, unknown>>(
      `import fal_client
fal_client.run('tester/racks', {})
[listed] = client.apps.list(filter='rack')
scaled = client.apps.scale('racks', keep_alive=321, max_concurrency=3, request_start_timeout=9)
[runner] = client.apps.runners('racks', state=['idle', 'running'])
gpus = client.apps.gpus('racks')
client.apps.rollout('racks', force=True)
answer = dict(alias=listed.alias, keep_alive=scaled.keep_alive, runner=runner.alias, gpus=gpus)`,
    )
    expect(answer).toMatchObject({
      alias: 'racks',
      keep_alive: 321,
      runner: 'racks',
      gpus: { total: expect.any(Number) },
    })
  })

  test('runners: list, gpus, stop, kill', async () => {
    const answer = await sdk<Record<string, unknown>>(
      `import datetime, fal_client
def first():
  fal_client.run('tester/racks', {})
  return next(r for r in client.runners.list() if r.state.name in ('IDLE', 'RUNNING'))
stopped, gpus = first(), client.runners.gpus()
client.runners.stop(stopped.runner_id)
killed = first()
client.runners.kill(killed.runner_id)
try: client.runners.kill('01900000-0000-7000-8000-000000000000')
except Exception as error: refusal = str(error)
since = datetime.datetime.now() - datetime.timedelta(minutes=10)
answer = dict(gpus=gpus, refusal=refusal, ended=len(client.runners.list(since=since)))`,
    )
    expect(answer['refusal']).toContain('not found')
    expect(answer['ended']).toBeGreaterThanOrEqual(2)
    expect(answer['gpus']).toHaveProperty('total')
  })

  test('keys: create, list, revoke', async () => {
    const answer = await sdk<Record<string, unknown>>(
      `from fal.sdk import KeyPreset
by_preset, _ = client.keys.create(preset=KeyPreset.READONLY, description='wall')
by_list, _ = client.keys.create(permissions=['apps:read', 'logs:read'])
before = {key.key_id: key.alias for key in client.keys.list()}
client.keys.revoke(by_preset)
after = [key.key_id for key in client.keys.list()]
answer = dict(alias=before[by_preset], kept=by_list in after, revoked=by_preset not in after)`,
    )
    expect(answer).toEqual({ alias: 'wall', kept: true, revoked: true })
  })

  test('environments and secrets: create, set, list, unset, delete', async () => {
    const answer = await sdk<Record<string, unknown>>(
      `made = client.environments.create('staging', description='before it counts')
client.secrets.set('TOKEN', 'a value', environment_name='staging', default_exposed=False)
[secret] = client.secrets.list(environment_name='staging')
client.secrets.unset('TOKEN', environment_name='staging')
left = client.secrets.list(environment_name='staging')
client.environments.delete('staging')
answer = dict(made=made.name, secret=[secret.name, secret.default_exposed], left=len(left),
              environments=[each.name for each in client.environments.list()])`,
    )
    expect(answer).toEqual({ made: 'staging', secret: ['TOKEN', false], left: 0, environments: ['main'] })
  })
})
