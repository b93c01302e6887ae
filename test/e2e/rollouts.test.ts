import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, clients, root, until } from './carrick.ts'

interface Answer {
  readonly revision: string
  readonly runner: string
  readonly app: string
}

interface ListedRunner {
  readonly runner_id: string
  readonly state: string
  readonly revision: string
  readonly alias: string
}

/** How revisions come and go, with the stock `fal` 1.83.0 and `fal_client` against a real server. */
describe('rollouts', () => {
  let carrick: Carrick
  let first: string
  beforeAll(async () => {
    carrick = await Carrick.start()
    first = await deploy()
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const deploy = (...flags: string[]) => carrick.deploy('gated.py::Gated', 'steady', ...flags)
  const file = (name: string) => join(carrick.shared, name)
  const open = (name: string) => writeFile(file(name), '')

  async function call(body: object = {}, app = 'steady'): Promise<Answer> {
    const answer = await carrick.ask(`/tester/${app}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(answer.status, await answer.clone().text()).toBe(200)
    return (await answer.json()) as Answer
  }

  const rest = async <T>(path: string) => (await (await carrick.ask(`/v1/serverless/apps/tester/${path}`)).json()) as T
  const active = async () => (await revisions()).find(({ is_current }) => is_current)?.revision_id
  const runners = async () =>
    (JSON.parse((await carrick.fal('apps', 'runners', 'steady', '--json')).stdout) as { runners: ListedRunner[] })
      .runners
  const runnersOf = async (revision: string) => (await runners()).filter((runner) => runner.revision === revision)

  /** A deploy of a revision whose runners are not ready before the gate is open, left to itself. */
  async function gated(gate: string): Promise<ChildProcess> {
    const args = ['deploy', 'test/e2e/apps/gated.py::Gated', '--app-name', 'steady']
    const env = { ...process.env, ...carrick.variables, COLUMNS: '2000', GATE: file(gate) }
    return spawn(join(await clients(), 'bin', 'fal'), args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  const revisions = async () =>
    (
      await rest<{
        revisions: { revision_id: string; is_current: boolean; status: string | null; failure: string | null }[]
      }>('steady/revisions')
    ).revisions
  const newest = async () => (await revisions())[0]

  test('a rolling deploy takes over the load before it drains: nothing fails, and what runs finishes where it began', async () => {
    const held = Array.from({ length: 3 }, () => call({ until: file('held') }))
    await until(async () => (await carrick.status()).running === 3, 'three requests to run')
    const second = await deploy()
    await until(async () => (await runnersOf(second)).length === 3, 'as many new runners as there were old ones')
    await open('held')
    expect(new Set((await Promise.all(held)).map(({ revision }) => revision))).toEqual(new Set([first]))
    expect((await call()).revision).toBe(second)
    await until(async () => (await runnersOf(first)).length === 0, 'the old runners to be gone')
  })

  test('of two at once the newest wins; the older says so, ends with 1, and its runner goes', async () => {
    const older = await gated('never')
    const said = Promise.all([text(older.stdout!), text(older.stderr!), once(older, 'exit')])
    await until(async () => (await newest())?.status === 'deploying', 'the older to be under way')
    const overtaken = (await newest())?.revision_id ?? ''
    const newer = await deploy()
    const [stdout, stderr, [code]] = await said
    expect([code, stdout + stderr]).toEqual([1, expect.stringContaining('superseded: a newer change')])
    expect(await active()).toBe(newer)
    await until(async () => (await runnersOf(overtaken)).length === 0, 'the runner of the older to be gone')
    expect((await revisions()).find(({ revision_id }) => revision_id === overtaken)?.status).toBeNull()
  })

  test('Ctrl-C leaves an attached deploy: it goes on by itself', async () => {
    const before = await active()
    const left = await gated('after ctrl-c')
    await until(async () => (await newest())?.status === 'deploying', 'the deploy to be under way')
    const revision = (await newest())?.revision_id
    left.kill('SIGINT')
    await once(left, 'exit')
    expect([await active(), (await newest())?.status]).toEqual([before, 'deploying'])
    await open('after ctrl-c')
    await until(async () => (await active()) === revision, 'the app to move')
  })

  test('--detach moves the app first and answers at once, and a runner comes up although nobody calls', async () => {
    const args = ['test/e2e/apps/gated.py::Gated', '--app-name', 'steady', '--detach', '--output', 'json']
    const { code, stdout, stderr } = await carrick.falWith({ GATE: file('detached') }, 'deploy', ...args)
    expect(code, stderr).toBe(0)
    const { revision, status } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { revision: string; status: string }
    expect([status, await active()]).toEqual(['rolling_out', revision])
    await until(async () => (await runnersOf(revision)).some(({ state }) => state === 'SETUP'), 'its runner to start')
    await open('detached')
    expect((await call()).revision).toBe(revision)
    const refused = await carrick.fal('deploy', ...args, '--strategy', 'recreate')
    expect([refused.code, refused.stdout + refused.stderr]).toEqual([1, expect.stringContaining('rolling')])
  })

  test.each(['rolling', 'recreate'])('set-rev goes back without a build (%s)', async (strategy) => {
    const now = (await active()) ?? ''
    const { code, stdout, stderr } = await carrick.fal('apps', 'set-rev', 'steady', first, '--strategy', strategy)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('steady')
    expect((await call()).revision).toBe(first)
    expect((await carrick.fal('apps', 'set-rev', 'steady', now)).code).toBe(0)
    expect((await call()).revision).toBe(now)
  })

  test('a rollout that fails leaves the old revision serving, and says why: on the terminal, by REST, in the events', async () => {
    const before = await active()
    const failed = await carrick.fal('deploy', 'test/e2e/apps/broken_setup.py::Echo', '--app-name', 'steady')
    const words = [
      expect.stringContaining('The old revision keeps serving'),
      expect.stringContaining('weights are missing'),
    ]
    const said = failed.stdout + failed.stderr
    expect([failed.code, said, said]).toEqual([1, ...words])
    expect((await call()).revision).toBe(before)
    const revision = await newest()
    expect(revision).toMatchObject({ status: 'failed', failure: words[1] })
    const { events } = await rest<{ events: object[] }>('steady/events?category=deployment_rolling_failed&limit=1')
    expect(events).toMatchObject([{ new_application_id: revision?.revision_id, reason: words[1] }])
  })

  describe('a revision that is not promoted', () => {
    let revision: string
    const named = () => `steady@${revision}`

    test('is deployed beside the one that serves, and told how to call and to promote', async () => {
      const before = await active()
      const args = ['--no-promote', 'test/e2e/apps/gated.py::Gated', '--app-name', 'steady']
      const { code, stdout, stderr } = await carrick.carrick('deploy', ...args)
      expect(code, stderr).toBe(0)
      revision = (await newest())?.revision_id ?? ''
      expect(stdout).toContain(`tester/${named()}`)
      expect(stdout).toContain(`fal apps set-rev steady ${revision}`)
      expect(await active()).toBe(before)
      expect((await call()).revision).toBe(before)
      expect(await newest()).toMatchObject({ status: null })
    })

    test('is called by its name: straight, by fal_client and through the queue, and runs beside the app', async () => {
      expect(await call({}, named())).toMatchObject({ revision, app: 'tester/steady' })
      expect(await call({}, named().replace('@', '%40'))).toMatchObject({ revision })
      const program =
        'import fal_client, json, sys; a = sys.argv[1]; h = fal_client.submit(a, {}); ' +
        'print(json.dumps([fal_client.run(a, {}), h.get(), fal_client.result(a, h.request_id)]))'
      const answers = await carrick.python<Answer[]>(program, `tester/${named()}`)
      expect(answers.map((answer) => answer.revision)).toEqual([revision, revision, revision])
      expect((await call()).revision).not.toBe(revision)
      expect(new Set((await runnersOf(revision)).map(({ alias }) => alias))).toEqual(new Set(['steady']))
      const { apps } = JSON.parse((await carrick.fal('apps', 'list', '--json')).stdout) as { apps: { alias: string }[] }
      expect(apps.map(({ alias }) => alias)).toEqual(['steady'])
    })

    test('is nobody else’s to call', async () => {
      const made = await carrick.carrick('accounts', 'create', 'somebody', '--json')
      const { key_id, key_secret } = JSON.parse(made.stdout) as { key_id: string; key_secret: string }
      const status = async (who: string | null) =>
        (await carrick.ask(`/tester/${named()}`, { method: 'POST', body: '{}', key: who })).status
      expect([await status(`${key_id}:${key_secret}`), await status(null)]).toEqual([404, 401])
    })

    test('is promoted by set-rev', async () => {
      expect((await carrick.fal('apps', 'set-rev', 'steady', revision)).code).toBe(0)
      expect((await call()).revision).toBe(revision)
      expect(await newest()).toMatchObject({ status: 'deployed' })
    })

    test('needs an app that is there', async () => {
      const args = ['--no-promote', 'test/e2e/apps/gated.py::Gated', '--app-name', 'nothing-yet']
      const refused = await carrick.carrick('deploy', ...args)
      expect([refused.code, refused.stdout + refused.stderr]).toEqual([
        1,
        expect.stringContaining('without --no-promote'),
      ])
    })
  })
})
