import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

interface ListedRunner {
  readonly runner_id: string
  readonly state: string
}

/** An operator's everyday commands, with the stock `fal` 1.83.0 against a real server. */
describe('an operator with the stock fal command', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('talker.py::Talker', 'talker')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const call = (body: object) =>
    carrick.ask('/tester/talker', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  const runners = async () =>
    (
      JSON.parse((await carrick.fal('apps', 'runners', 'talker', '--output', 'json')).stdout) as {
        runners: ListedRunner[]
      }
    ).runners

  async function runner(): Promise<string> {
    const [first] = await runners()
    if (first === undefined) throw new Error('no runner')
    return first.runner_id
  }

  describe('reads the logs of a runner:', () => {
    test('a traceback stands in the order in which it was written', async () => {
      await call({ text: 'before the failure', fail: 'a number that is too large' })
      const { code, stdout } = await carrick.fal('runners', 'logs', await runner())
      expect(code).toBe(0)
      expect(stdout).toMatch(/before the failure[^]*Traceback[^]*ValueError: a number that is too large/)
    })

    test('--search, --since and --until leave out the rest', async () => {
      await call({ text: 'the needle' })
      const lines = async (...flags: string[]) =>
        (await carrick.fal('runners', 'logs', await runner(), ...flags)).stdout
      expect(await lines('--search', 'NEEDLE')).toMatch(/the needle/)
      expect(await lines('--search', 'NEEDLE')).not.toContain('before the failure')
      expect(await lines('--since', '1h ago')).toContain('the needle')
      expect(await lines('--since', '2d ago', '--until', '1d ago')).not.toContain('the needle')
    })

    test('--follow shows what was said lately and what comes, until the runner has ended', async () => {
      const id = await runner()
      await call({ text: 'said before' })
      const followed = carrick.fal('runners', 'logs', id, '--follow', '--search', 'said')
      await call({ text: 'said meanwhile' })
      await carrick.fal('runners', 'kill', id)
      const { code, stdout, stderr } = await followed
      expect(code, stderr).toBe(0)
      expect(stdout).toMatch(/said before[^]*said meanwhile/)
    })
  })
})
