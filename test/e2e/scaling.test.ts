import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** Comes up when a test lets it, or fails to; answers when a test lets it. */
const source = (folder: string, settings: string) => `
import asyncio
import os
import time

import fal
from pydantic import BaseModel


class Wait(BaseModel):
    file: str


class Held(fal.App):
    machine_type = "XS"
${settings}

    def setup(self) -> None:
        while not os.path.exists("${folder}/may-start"):
            if os.path.exists("${folder}/broken"):
                raise RuntimeError("the weights are missing")
            time.sleep(0.05)

    @fal.endpoint("/")
    async def wait(self, wait: Wait) -> dict:
        while not os.path.exists(wait.file):
            await asyncio.sleep(0.05)
        return {"runner": os.environ["FAL_JOB_ID"]}
`

/** The parts of explanations that are looked at. */
interface Explained {
  readonly reasons: readonly { readonly kind: string; readonly sentence: string }[]
}
type Settings = Readonly<Record<string, unknown>>

/** Scaling parameters and explanations, with the stock `fal` 1.83.0 and real runners. */
describe('the number of runners', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const at = (name: string) => join(carrick.shared, name)
  const touch = (name: string) => writeFile(at(name), '')

  async function deploy(name: string, settings: string, ...flags: string[]): Promise<string> {
    const file = at(`${name}.py`)
    await writeFile(file, source(carrick.shared, settings))
    const { code, stdout, stderr } = await carrick.fal('deploy', `${file}::Held`, '--app-name', name, ...flags)
    return code === 0 ? '' : stdout + stderr
  }
  const scale = async (name: string, ...flags: string[]) => {
    const { code, stdout, stderr } = await carrick.fal('apps', 'scale', name, ...flags)
    return { code, said: stdout + stderr }
  }
  const settingsOf = async (name: string): Promise<Settings> => {
    const { apps } = (await (await carrick.ask(`/v1/serverless/apps?search=${name}`)).json()) as { apps: Settings[] }
    return apps[0] ?? {}
  }
  const carrickSays = async (...args: string[]) => {
    const { code, stdout, stderr } = await carrick.carrick(...args)
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }
  const submit = async (file: string) => {
    const body = JSON.stringify({ file: at(file) })
    const headers = { 'content-type': 'application/json', 'x-fal-no-retry': '1' }
    const answer = await carrick.ask('/queue/tester/held', { method: 'POST', headers, body })
    return ((await answer.json()) as { request_id: string }).request_id
  }
  const reasonsOf = async (id: string) =>
    ((await (await carrick.ask(`/v1/serverless/requests/${id}/explain`)).json()) as Explained).reasons
  const reaches = (id: string, kind: string) =>
    until(async () => (await reasonsOf(id)).some((reason) => reason.kind === kind), `request ${id} to be ${kind}`)
  const runners = async () => {
    const { stdout } = await carrick.fal('apps', 'runners', 'held', '--output', 'json')
    return (JSON.parse(stdout) as { runners: { runner_id: string; state: string }[] }).runners
  }

  test('is explained while one starts, runs, is capped, scaled live, idle, and gone', async () => {
    expect(await deploy('held', '    keep_alive = 30\n    max_concurrency = 1', '--strategy', 'recreate')).toBe('')
    const first = await submit('end-1')
    await reaches(first, 'starting')
    expect(await carrickSays('requests', 'explain', first)).toMatch(
      /IN_QUEUE\n.*it is the next one\.\n1 runner is starting/,
    )
    expect(await carrickSays('apps', 'explain', 'held')).toMatch(
      /needed = ceil\(1 \/ 1\) = 1; .*desired = min\(1, max\(0, 1 \+ 0\)\) = 1\.\n.*1 starting \(for .* s\)/,
    )

    await touch('may-start')
    await reaches(first, 'running')
    const second = await submit('end-2')
    const capped = await carrickSays('requests', 'explain', second)
    expect(capped).toContain('No slot is free: the one runner that serves has max_multiplexing (1) request each.')
    expect(capped).toContain('max_concurrency allows 1 runner, where 2 would be wanted: `fal apps scale held')
    expect(await carrickSays('apps', 'explain', 'held')).toContain('max_concurrency allows 1 runner, where 2')

    const [before] = await runners()
    const { code, said } = await scale('held', '--max-multiplexing', '2', '--keep-alive', '1')
    expect([code, said]).toEqual([0, expect.stringContaining('will be reset on the next deployment')])
    await reaches(second, 'running')
    expect(await runners()).toMatchObject([{ runner_id: before!.runner_id, state: 'RUNNING' }])

    await Promise.all([touch('end-1'), touch('end-2')])
    await reaches(second, 'ended')
    expect(await carrickSays('requests', 'explain', first)).toMatch(
      /COMPLETED\nIt ended with 200 on runner .* in attempt 1, .* after it came\.\nIts time: .*running/,
    )
    await until(async () => (await runners()).length === 0, 'the idle runner to go')
    expect(await carrickSays('runners', 'explain', before!.runner_id)).toMatch(
      /0 running, 1 waiting, 0 runners there; needed = .*\n.*ready .* later\.\n.*it was idle for .* keep_alive is 1 s/,
    )
    expect(await carrickSays('apps', 'explain', 'held', '--last', '3')).toMatch(
      /There is no runner\.[^]*Decided lately[^]*Ends runner .*: it was idle for .*; keep_alive is 1 s\.[^]*Starts 1 runner/,
    )
  })

  test('is explained while crashed starts hold the next one back, and while the queue is paused', async () => {
    await rm(at('may-start'), { force: true })
    await touch('broken')
    const id = await submit('end-3')
    await reaches(id, 'backoff')
    const why =
      /The next start waits .* more, because the last start failed: runner (\S+) ended with exit code \d+ before/
    expect(await carrickSays('requests', 'explain', id)).toMatch(why)
    const told = await carrickSays('apps', 'explain', 'held')
    expect(await carrickSays('runners', 'explain', why.exec(told)?.[1] ?? '')).toMatch(/it ended before it was ready/)
    await carrickSays('queue', 'pause', 'held')
    expect(await carrickSays('requests', 'explain', id, '--output', 'json')).toContain('"kind": "paused"')
    expect(await carrickSays('apps', 'explain', 'held')).toContain('The queue is paused, so the 1 request in it')
    await carrickSays('queue', 'resume', 'held')
    expect((await carrick.fal('queue', 'flush', 'held')).code).toBe(0)
    expect((await reasonsOf(id))[0]).toMatchObject({ kind: 'ended' })
    await rm(at('broken'))
    await touch('may-start')
  })

  test('is told to the owner alone', async () => {
    for (const [args, sentence] of [
      [['apps', 'explain', 'nowhere'], 'Application "tester/nowhere" not found'],
      [['requests', 'explain', 'nothing'], 'Request "nothing" not found'],
      [['runners', 'explain', 'nobody'], 'Runner "nobody" not found'],
    ] as const) {
      const { code, stderr } = await carrick.carrick(...args)
      expect([code, stderr]).toEqual([1, expect.stringContaining(sentence)])
    }
  })

  test('is set by code and by hand: what was tuned stays across deploys until it is reset', async () => {
    const code = '    min_concurrency = 1\n    keep_alive = 60\n    max_multiplexing = 3'
    const at60 = { min_concurrency: 1, keep_alive: 60 }
    expect(await deploy('kept', code, '--strategy', 'recreate')).toBe('')
    expect(await settingsOf('kept')).toMatchObject({ ...at60, max_multiplexing: 3, max_concurrency: 2 })
    expect((await scale('kept', '--min-concurrency', '2', '--keep-alive', '300')).code).toBe(0)
    expect((await scale('kept', '--max-multiplexing', '9')).said).toContain('will be reset on the next deployment')
    expect(await settingsOf('kept')).toMatchObject({ min_concurrency: 2, keep_alive: 300, max_multiplexing: 9 })
    expect(await deploy('kept', code, '--strategy', 'recreate')).toBe('')
    expect(await settingsOf('kept')).toMatchObject({ min_concurrency: 2, keep_alive: 300, max_multiplexing: 3 })
    expect(await deploy('kept', code, '--strategy', 'recreate', '--reset-scale')).toBe('')
    expect(await settingsOf('kept')).toMatchObject({ ...at60, max_multiplexing: 3 })
    expect((await carrick.fal('apps', 'delete', 'kept')).code).toBe(0)
  })

  describe('cannot be set to what cannot be:', () => {
    const range = 'but must be a whole number'
    test.each<[string, readonly string[], Settings, string]>([
      [
        'a floor above the cap',
        ['--min-concurrency', '5', '--max-concurrency', '2'],
        { min_concurrency: 5, max_concurrency: 2 },
        'min_concurrency (5) is above max_concurrency (2)',
      ],
      [
        'no request at a time',
        ['--max-multiplexing', '0'],
        { max_multiplexing: 0 },
        `max_multiplexing is 0, ${range} from 1 to 1000`,
      ],
      ['a negative time', ['--keep-alive', '-1'], { keep_alive: -1 }, `keep_alive is -1, ${range} of 0 or more`],
      [
        'a negative delay',
        ['--scaling-delay', '-5'],
        { scaling_delay: -5 },
        `scaling_delay is -5, ${range} of 0 or more`,
      ],
      [
        'no runner at all',
        ['--max-concurrency', '0'],
        { max_concurrency: 0 },
        `max_concurrency is 0, ${range} of 1 or more`,
      ],
      [
        'too long a request',
        ['--request-timeout', '90000'],
        { request_timeout: 90_000 },
        `request_timeout is 90000, ${range} from 1 to 86400`,
      ],
      [
        'an unknown machine type',
        ['--machine-types', 'HUGE'],
        { machine_types: ['HUGE'] },
        'no machine type "HUGE": there are XS,',
      ],
      ['an unknown region', ['--regions', 'moon'], { valid_regions: ['moon'] }, 'no region "moon": there are us-west,'],
    ])('%s, by the stock command or over REST', async (_, flags, body, sentence) => {
      const before = await settingsOf('held')
      const { code, said } = await scale('held', ...flags)
      expect([code, said]).toEqual([1, expect.stringContaining(sentence)])
      const answer = await carrick.ask('/v1/serverless/apps/tester/held/scale', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      expect([answer.status, await answer.json()]).toMatchObject([
        422,
        { error: { type: 'validation_error', code: 'invalid_value', message: expect.stringContaining(sentence) } },
      ])
      expect(await settingsOf('held')).toEqual(before)
    })

    test('by a deploy: nothing is registered', async () => {
      for (const [settings, sentence] of [
        ['    min_concurrency = 5\n    max_concurrency = 2', 'min_concurrency (5) is above'],
        ['    max_multiplexing = 0', 'max_multiplexing is 0'],
        ['    regions = ["moon"]', 'no region "moon"'],
      ] as const)
        expect(await deploy('refused', settings)).toContain(sentence)
      expect(await settingsOf('refused')).toEqual({})
    })

    test('an environment or a revision that is not there: the allowed ones are named', async () => {
      expect(await deploy('refused', '', '--env', 'moon')).toContain('Environment "moon" not found: there is main')
      expect((await scale('held', '--keep-alive', '1', '--env', 'moon')).said).toContain('there is main')
      const { code, stdout, stderr } = await carrick.fal('apps', 'set-rev', 'held', 'nothing')
      expect([code, stdout + stderr]).toEqual([1, expect.stringContaining('not found: the last ones are ')])
      const answer = await carrick.ask('/v1/serverless/apps/tester/held/revision', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"revision_id": "nothing"}',
      })
      expect(answer.status).toBe(422)
    })
  })
})
