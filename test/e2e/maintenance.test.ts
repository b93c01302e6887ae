import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** Answers when a test lets it. */
const source = `
import os
import time

import fal
from pydantic import BaseModel


class Wait(BaseModel):
    file: str


class Held(fal.App):
    machine_type = "XS"
    requirements = []
    keep_alive = 300
    max_concurrency = 1

    @fal.endpoint("/")
    def wait(self, wait: Wait) -> dict:
        while not os.path.exists(wait.file):
            time.sleep(0.05)
        return {"runner": os.environ["FAL_JOB_ID"]}
`

interface Explained {
  readonly reasons: readonly { readonly kind: string; readonly sentence: string }[]
}

/** What an operator takes away from runners, and what becomes of them and of their callers; in this order. */
describe('an operator', { timeout: 300_000 }, () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start({
      CARRICK_MACHINE_TYPES: JSON.stringify({ XS: { price_per_second: 1 } }),
      CARRICK_CURRENCY: 'EUR',
    })
    await writeFile(at('held.py'), source)
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const at = (name: string) => join(carrick.shared, name)
  const carrickSays = async (...args: string[]) => {
    const { code, stdout, stderr } = await carrick.carrick(...args)
    expect(code, stderr).toBe(0)
    return stdout
  }
  const deploy = () => carrick.fal('deploy', `${at('held.py')}::Held`, '--app-name', 'held')
  const headers = { 'content-type': 'application/json' }
  const call = (file: string) =>
    carrick.ask('/tester/held', { method: 'POST', headers, body: JSON.stringify({ file: at(file) }) })
  const submit = async (file: string) => {
    const body = JSON.stringify({ file: at(file) })
    const answer = await carrick.ask('/queue/tester/held', { method: 'POST', headers, body })
    return ((await answer.json()) as { request_id: string }).request_id
  }
  const reasonsOf = async (id: string) =>
    ((await (await carrick.ask(`/v1/serverless/requests/${id}/explain`)).json()) as Explained).reasons
  const statusOf = async (id: string) => {
    const answer = await carrick.ask(`/queue/tester/held/requests/${id}/status`)
    return ((await answer.json()) as { status: string }).status
  }

  test('takes the machine away: the call that runs ends well, what comes waits and says why', async () => {
    expect(await deploy()).toMatchObject({ code: 0 })
    const running = call('one')
    await until(async () => (await carrick.status()).running === 1, 'the call to run')
    const draining = carrick.carrick('machines', 'drain', '--message', 'a new driver')
    await until(async () => (await carrickSays('runners', 'list')).includes('DRAINING'), 'its runner to drain')
    const waiting = await submit('one')
    expect(await carrickSays('status')).toMatch(/In maintenance: .* \(a new driver\).* 1 runner on it still to end/)

    await writeFile(at('one'), '')
    expect((await running).status).toBe(200)
    const drained = await draining
    expect(drained).toMatchObject({ code: 0, stdout: expect.stringContaining('No runner is on it') })
    expect(await carrickSays('runners', 'list', '--since', '1h')).toContain('host_maintenance')
    await expect
      .poll(() => reasonsOf(waiting), { timeout: 60_000 })
      .toContainEqual(expect.objectContaining({ sentence: expect.stringContaining('is in maintenance') }))
    expect(await statusOf(waiting)).toBe('IN_QUEUE')
  })

  test('starts the server anew: the machine is still away, and so are the decisions of before', async () => {
    await carrick.down()
    await carrick.up()
    expect(await carrickSays('status')).toContain('In maintenance')
    expect(await carrickSays('apps', 'explain', 'held', '--last', '50')).toContain(
      'its machine was taken into maintenance.',
    )
  })

  test('has a deploy wait, which says for what, and gives the machine back', async () => {
    const deploying = deploy()
    const waiting = async () => (await carrickSays('machines')).split('of tester/held waits').length - 1
    await until(async () => (await waiting()) === 2, 'the runner of the deploy to wait beside that of the request')
    expect(await carrickSays('machines', 'undrain')).toContain('serves')
    const { code, stdout, stderr } = await deploying
    expect(code, stderr).toBe(0)
    const said = (stdout + stderr).replaceAll(/\s+/g, ' ')
    expect(said).toMatch(/Waiting for a machine: .* in maintenance/)
    expect(said).toMatch(/Starting a runner on \S+ \(XS\)/)
    expect(await carrickSays('runners', 'list')).not.toContain('PENDING')
  })

  test('ends what runs at a deadline', async () => {
    const cut = call('never').then(({ status }) => status)
    await until(async () => (await carrick.status()).running === 1, 'the call to run')
    expect(await carrickSays('machines', 'drain', '--deadline', '1s')).toContain('No runner is on it')
    expect(await cut).toBe(503)
    await carrickSays('machines', 'undrain')
    const { code, stderr } = await carrick.carrick('machines', 'drain', 'nowhere')
    expect([code, stderr]).toEqual([1, expect.stringContaining('There is no machine "nowhere"')])
    expect((await carrick.carrick('machines', 'drain', '--deadline', 'soon')).code).toBe(2)
  })

  test('says what an account may spend: beyond it nothing is started, and callers are told', async () => {
    expect(await carrickSays('accounts', 'set', 'tester', '--monthly-limit', '0.5')).toContain(
      'may spend 0.5 in a month',
    )
    await expect
      .poll(() => carrickSays('accounts', 'list'), { timeout: 60_000 })
      .toMatch(/this month: \d+\.\d\d of 0\.5/)
    const refused = await call('one')
    expect([refused.status, refused.headers.get('x-fal-error-type')]).toEqual([403, 'budget_exhausted'])
    const waiting = await submit('one')
    await expect
      .poll(() => carrickSays('apps', 'explain', 'held'), { timeout: 60_000 })
      .toMatch(/1 runner has no place yet: the account has spent \d+\.\d\d EUR of the 0\.5/)
    await carrickSays('accounts', 'set', 'tester', '--monthly-limit', 'none')
    await expect.poll(() => statusOf(waiting), { timeout: 90_000 }).toBe('COMPLETED')
    expect(await carrickSays('accounts', 'set', 'tester', '--data-quota', 'default')).toContain('as much in /data as')
    expect((await carrick.carrick('accounts', 'set', 'tester', '--monthly-limit', '-1')).code).toBe(2)
  })
})
