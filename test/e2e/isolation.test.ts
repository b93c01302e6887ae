import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

interface Part {
  readonly part: string
  readonly by: string | null
  readonly why?: string
}

interface Seen {
  readonly runner: string
  readonly helper: string
  readonly host: string
  readonly processes: number
  readonly beside: readonly string[]
}

/** What runners have of walls and bounds, seen by an app of the stock SDK that the stock `fal` deployed. */
describe('runners of one app', () => {
  let carrick: Carrick
  let parts: readonly Part[]
  let seen: readonly Seen[] = []
  beforeAll(async () => {
    carrick = await Carrick.start()
    parts = (JSON.parse((await carrick.carrick('status', '--json')).stdout) as { confinement: Part[] }).confinement
    if (whyNot('network') === undefined) await carrick.deploy('fixed_port.py::FixedPort', 'fixed', '--auth', 'private')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const whyNot = (part: string) => {
    const found = parts.find((each) => each.part === part)
    return found?.by ? undefined : (found?.why ?? `nothing is told of ${part}`)
  }
  const ask = (body: object = {}) =>
    carrick.ask('/tester/fixed', {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })

  test('bind the same fixed port side by side, and each is called at its own', async ({ skip }) => {
    skip(whyNot('network') !== undefined, `runners share the machine's network: ${whyNot('network')}`)
    const byRunner = new Map<string, Seen>()
    await until(async () => {
      const answers = await Promise.all(Array.from({ length: 4 }, () => ask()))
      for (const answer of answers.filter(({ ok }) => ok)) {
        const one = (await answer.json()) as Seen
        byRunner.set(one.runner, one)
      }
      return byRunner.size >= 2
    }, 'two runners to answer')
    seen = [...byRunner.values()]
    for (const { runner, helper } of seen) expect(helper).toBe(runner)
  })

  test('see themselves alone', ({ skip }) => {
    skip(seen.length === 0, 'there were none to ask')
    for (const { runner, host, processes, beside } of seen) {
      expect([host, beside]).toEqual([runner, [runner]])
      expect(processes).toBeLessThan(6)
    }
  })

  test('end as oom when they need more memory than their machine type has, and say so', async ({ skip }) => {
    skip(
      whyNot('network') !== undefined || !parts.some(({ part, by }) => part === 'memory' && by?.startsWith('cgroup')),
      'memory of runners is not bounded by groups here',
    )
    const answer = await ask({ megabytes: 900 })
    expect(answer.status).toBeGreaterThanOrEqual(500)
    const ended: string[] = []
    await until(async () => {
      for (const { runner } of seen) {
        const { termination_reason: reason } = (await (await carrick.ask(`/runners/${runner}`)).json()) as Record<
          string,
          string
        >
        if (reason === 'oom') ended.push(runner)
      }
      return ended.length > 0
    }, 'a runner to end as oom')
    const said = await carrick.ask(`/logs/history?job_id=${ended[0]}`, { method: 'POST' })
    expect(await said.text()).toMatch(/512 MiB of memory that its machine type XS has/)
  })
})
