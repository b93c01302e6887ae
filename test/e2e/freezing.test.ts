import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Carrick, until } from './carrick.ts'

/** Works also when nobody asks for anything, and notes that, and its end. */
const source = (folder: string, extra = '') => `
import os
import threading
import time

import fal
from fastapi import WebSocket


class Restless(fal.App):
    machine_type = "XS"
    keep_alive = 300
    min_concurrency = 1
    max_concurrency = 1
${extra}

    def setup(self) -> None:
        self.calls = 0
        self.name = os.environ["FAL_JOB_ID"]
        threading.Thread(target=self.work, daemon=True).start()

    def note(self, what: str, said: str) -> None:
        path = f"${folder}/{what}-{self.name}"
        with open(path + ".new", "w") as file:
            file.write(said)
        os.replace(path + ".new", path)  # whole at every moment, for one who is frozen in between

    def work(self) -> None:
        rounds = 0
        while True:
            rounds += 1
            self.note("rounds", str(rounds))
            time.sleep(0.01)

    def teardown(self) -> None:
        self.note("ended", "in order")

    @fal.endpoint("/")
    def look(self) -> dict:
        self.calls += 1
        return {"calls": self.calls, "runner": self.name}

    @fal.endpoint("/ws", is_websocket=True)
    async def talk(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
`

interface Shown {
  readonly runner_id: string
  readonly revision: string
  readonly state: string
  readonly frozen_since: string | null
}

/** Idle runners that are frozen, with the stock `fal` 1.83.0 and real runners. */
describe('a frozen runner', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await deploy()
    const { code, stdout } = await carrick.carrick('apps', 'freezing', 'restless', '--after', '1s')
    expect([code, stdout]).toEqual([0, expect.stringContaining('frozen once idle for 1 s')])
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  async function deploy(extra?: string): Promise<string> {
    const file = join(carrick.shared, 'restless.py')
    await writeFile(file, source(carrick.shared, extra))
    const { code, stdout, stderr } = await carrick.fal('deploy', `${file}::Restless`, '--app-name', 'restless')
    if (code !== 0) throw new Error(stdout + stderr)
    return stdout
  }
  const listed = async (): Promise<readonly Shown[]> => {
    const { runners } = (await (await carrick.ask('/v1/runners')).json()) as { runners: readonly Shown[] }
    return runners
  }
  const noted = (what: string, id: string) => readFile(join(carrick.shared, `${what}-${id}`), 'utf8').catch(() => '')
  /** The only runner, once it is frozen. */
  async function frozen(): Promise<string> {
    let found: readonly Shown[] = []
    await until(async () => {
      found = await listed()
      return found.length === 1 && found[0]?.frozen_since !== null
    }, 'one runner, and that frozen')
    return found[0]?.runner_id ?? ''
  }
  const ended = (id: string) =>
    until(async () => (await listed()).every(({ runner_id }) => runner_id !== id), 'the end of a runner')
  const call = async (path = '/tester/restless') => {
    const answer = await carrick.ask(path, { method: 'POST', body: '{}' })
    return (await answer.json()) as { calls: number; runner: string; request_id: string }
  }

  test('does nothing, is listed by the stock tool as idle, and answers a direct call as the one that it was', async () => {
    const { calls, runner } = await call()
    expect(await frozen()).toBe(runner)
    await until(async () => {
      const before = await noted('rounds', runner)
      const { stdout } = await carrick.fal('apps', 'runners', 'restless', '--output', 'json')
      expect(JSON.parse(stdout)).toMatchObject({ runners: [{ runner_id: runner, state: 'IDLE' }] })
      return before !== '' && (await noted('rounds', runner)) === before
    }, 'a runner that does nothing')
    const ours = await carrick.carrick('runners', 'list')
    expect(ours.stdout).toMatch(new RegExp(`${runner} +restless +IDLE \\(frozen\\)`))
    const explained = await carrick.carrick('apps', 'explain', 'restless')
    expect(explained.stdout).toMatch(/There is 1 runner: 1 idle \(frozen\)\.\s+A frozen runner keeps its memory/)
    expect(await call()).toEqual({ calls: calls + 1, runner })
  })

  test('answers a queued request in its first attempt', async () => {
    const runner = await frozen()
    const { request_id: id } = await call('/queue/tester/restless')
    const result = () => carrick.ask(`/queue/tester/restless/requests/${id}`)
    await until(async () => (await result()).status === 200, 'its result')
    expect(await (await result()).json()).toMatchObject({ runner })
    expect(await (await carrick.ask(`/v1/serverless/requests/${id}`)).json()).toMatchObject({ attempts: 1 })
  })

  test('answers a WebSocket, and is not frozen while that is open', async () => {
    const runner = await frozen()
    const url = carrick.url.replace(/^https?/, 'ws')
    const headers = { authorization: `Key ${carrick.variables['FAL_KEY']}` }
    const socket = new WebSocket(`${url}/tester/restless/ws`, { headers })
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const before = await noted('rounds', runner)
    await until(async () => Number(await noted('rounds', runner)) > Number(before) + 150, 'its work, for over a second')
    expect(await listed()).toMatchObject([{ runner_id: runner, state: 'RUNNING', frozen_since: null }])
    const heard = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())))
    socket.send('hello')
    expect(await heard).toBe('hello')
    socket.terminate()
  })

  test('goes on for a command that is run in it', async () => {
    const runner = await frozen()
    const { code, stdout } = await carrick.fal('runners', 'exec', runner, '--', 'echo', 'in there')
    expect([code, stdout]).toEqual([0, expect.stringContaining('in there')])
    expect(await frozen()).toBe(runner)
  })

  test('ends in order when it is stopped, and its successor is frozen in its turn', async () => {
    const runner = await frozen()
    expect((await carrick.fal('runners', 'stop', runner)).code).toBe(0)
    await ended(runner)
    expect(await noted('ended', runner)).toBe('in order')
  })

  test('is ended by a kill as it is', async () => {
    const runner = await frozen()
    expect((await carrick.fal('runners', 'kill', runner)).code).toBe(0)
    await ended(runner)
    expect(await noted('ended', runner)).toBe('')
  })

  test('gives way to a deploy and to the way back, in order', async () => {
    const before = await frozen()
    const [old] = await listed()
    await deploy('    request_timeout = 900')
    await ended(before)
    expect(await noted('ended', before)).toBe('in order')
    const after = await frozen()
    expect((await carrick.fal('apps', 'set-rev', 'restless', old?.revision ?? '')).code).toBe(0)
    await ended(after)
    expect(await noted('ended', after)).toBe('in order')
  })

  test('ends in order with the server, and nothing of it outlives a server that was killed', async () => {
    const first = await frozen()
    await carrick.down()
    expect(await noted('ended', first)).toBe('in order')
    await carrick.up()
    const second = await frozen()
    await carrick.down('SIGKILL')
    await carrick.up()
    const third = await frozen() // the setting is still there
    expect(third).not.toBe(second)
    expect(await noted('ended', second)).toBe('')
    expect(await call()).toMatchObject({ calls: 1, runner: third })
  })

  test('goes in order when it is idle for longer than keep_alive, and counts as one that was frozen and went on', async () => {
    const runner = await frozen()
    expect((await carrick.fal('apps', 'scale', 'restless', '--min-concurrency', '0', '--keep-alive', '2')).code).toBe(0)
    await ended(runner)
    expect(await noted('ended', runner)).toBe('in order')
    const metrics = await (await carrick.ask('/metrics')).text()
    expect(metrics).toMatch(/^carrick_runner_freezes_total [1-9]/m)
    expect(metrics).toMatch(/^carrick_runner_thaws_total [1-9]/m)
    expect(metrics).toMatch(/^carrick_runner_failed_thaws_total 0$/m)
  })
})
