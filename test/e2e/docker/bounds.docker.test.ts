import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from '../carrick.ts'

/** What an app of the stock SDK gets that wants more than its container may have: the caller, the runner's record and its log say what. */
describe('an app in a container that takes too much', () => {
  let carrick: Carrick
  beforeAll(async () => {
    const bounds = { CARRICK_RUNNER_TASKS: '300', CARRICK_SCRATCH_LIMIT: String(64 * 2 ** 20) }
    carrick = await Carrick.start({ ...bounds, CARRICK_BACKEND: 'docker' })
    await carrick.deploy('greedy.py::Greedy', 'greedy', '--auth', 'private')
  })
  afterAll(() => carrick?.[Symbol.asyncDispose]())

  async function take(what: string): Promise<{ status: number; said: string }> {
    const headers = { 'content-type': 'application/json', 'x-fal-no-retry': '1' }
    const answer = await carrick.ask('/tester/greedy', {
      method: 'POST',
      headers,
      body: JSON.stringify({ take: what }),
    })
    return { status: answer.status, said: await answer.text() }
  }

  test.each([
    ['memory', 'oom', /512 MiB of memory/],
    ['processes', 'pids', /300 processes/],
    ['disk', 'disk', /may outside \/data \(CARRICK_SCRATCH_LIMIT\)/],
  ])(
    'of %s is ended as %s, as its caller, its record and its log say, and the next call is served',
    async (what, reason, sentence) => {
      const { runner } = JSON.parse((await take('nothing')).said) as { runner: string }
      const { status, said } = await take(what)
      expect([status >= 500, said]).toEqual([true, expect.stringContaining(reason)])
      await until(async () => {
        const record = (await (await carrick.ask(`/runners/${runner}`)).json()) as { termination_reason?: string }
        return record.termination_reason === reason
      }, `the runner to end as ${reason}`)
      const log = await carrick.ask(`/logs/history?job_id=${runner}`, { method: 'POST' })
      expect(await log.text()).toMatch(sentence)
      expect((await take('nothing')).status).toBe(200)
    },
  )
})
