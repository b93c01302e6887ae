import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, root, until } from './carrick.ts'

/** Predictors of Cog and handlers of RunPod, unchanged, in the apps that are made for them, deployed by the stock `fal`. */
let carrick: Carrick
let parent: string
beforeAll(async () => {
  carrick = await Carrick.start()
  parent = await mkdtemp(join(tmpdir(), 'carrick-cog-'))
  await Promise.all([
    deployed(join(parent, 'media'), media),
    deployed(join(parent, 'tokens'), tokens),
    deployedWorker(),
  ])
}, 240_000)
afterAll(() => carrick[Symbol.asyncDispose]())

async function deployed(folder: string, predictor: string): Promise<void> {
  await mkdir(join(folder, 'lib'), { recursive: true })
  await writeFile(join(folder, 'cog.yaml'), 'predict: "predict.py:Predictor"\nenvironment: [GREETING=hi]\n')
  await writeFile(join(folder, 'predict.py'), predictor)
  await writeFile(join(folder, 'lib', 'beside.py'), 'WORD = "from beside"\n')
  await writeFile(join(folder, 'hint.txt'), 'the default')
  const migrated = await carrick.carrick('migrate', 'cog', folder)
  expect(migrated, migrated.stderr).toMatchObject({ code: 0 })
  const name = folder.slice(folder.lastIndexOf('/') + 1)
  const ended = await carrick.falIn(folder, ['deploy', name])
  expect(ended.code, ended.stderr + ended.stdout).toBe(0)
}

async function deployedWorker(): Promise<void> {
  const folder = join(parent, 'worker')
  await cp(join(root, 'examples/runpod'), folder, { recursive: true })
  await writeFile(join(folder, 'handler.py'), handler)
  const ended = await carrick.falIn(folder, ['deploy', 'app.py::App'])
  expect(ended.code, ended.stderr + ended.stdout).toBe(0)
}

const handler = `
import asyncio, os, runpod

async def handler(job):
    what = job["input"]
    if what == "raise":
        raise ValueError("it raised")
    if what == "wait":
        await asyncio.sleep(600)
    if what == "error":
        return {"error": "it says so"}
    return {"runner": os.environ["FAL_JOB_ID"], "job": job["id"], "refresh_worker": what == "refresh"}

runpod.serverless.start({"handler": handler, "concurrency_modifier": lambda now: min(now + 1, 4)})
`

const media = `
import os, tempfile, time
from typing import List, Optional
import cog
from cog import BaseModel, BasePredictor, File, Input, Path, Secret
from lib.beside import WORD

LEAST = int("1")

class Output(BaseModel):
    text: str
    copy_: Path
    parts: List[Path]
    nothing: Optional[str] = None

class Predictor(BasePredictor):
    def setup(self, weights: Optional[Path] = None):
        self.says = os.environ["GREETING"] + ", " + WORD

    def predict(
        self,
        source: cog.Path = Input(description="a file"),
        opened: File = Input(default=None),
        more: List[Path] = Input(default=[]),
        hint: Path = Input(default="hint.txt"),
        token: Secret = Input(default=None),
        times: int = Input(default=LEAST, ge=1, le=3),
        mode: str = Input(default="x", choices=["x", "y"]),
    ) -> Output:
        while mode == "y":
            time.sleep(0.01)
        self.record_metric("length", len(source.read_text()))
        shown = f"{self.says} {hint.read_text()} {opened.read().decode() if opened else '-'} {source.suffix} {mode} {times}"
        if token is not None:
            shown += f" {token} {token.get_secret_value()}"
        target = Path(tempfile.mkdtemp()) / "copy.txt"
        target.write_text(source.read_text() * times)
        return Output(text=shown, copy_=target, parts=more)
`

const tokens = `
import asyncio
from cog import AsyncConcatenateIterator, BaseRunner, Input

class Predictor(BaseRunner):
    async def setup(self):
        self.end = "!"

    async def run(self, text: str = Input(min_length=2, regex="^(?!no)")) -> AsyncConcatenateIterator[str]:
        for letter in text:
            yield letter
        if text == "fail":
            raise ValueError("it fails")
        if text == "wait":
            await asyncio.sleep(600)
        yield self.end
`

/** Submits what never ends by itself, cancels it once it runs, and answers how it ended. */
async function cancelled(path: string, input: object): Promise<unknown> {
  const { request_id: id } = (await (await call(`/queue/tester/${path}`, input)).json()) as { request_id: string }
  const request = `/queue/tester/${path.split('/')[0]}/requests/${id}`
  const state = async () => ((await (await carrick.ask(`${request}/status`)).json()) as { status: string }).status
  await until(async () => (await state()) === 'IN_PROGRESS', 'the request to run')
  await carrick.ask(`${request}/cancel`, { method: 'PUT' })
  await until(async () => (await state()) === 'COMPLETED', 'the request to end')
  const ended = await carrick.ask(request)
  return [ended.status, await ended.json()]
}

const dataUrl = (text: string) => `data:text/plain;base64,${Buffer.from(text).toString('base64')}`

async function call(path: string, input: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return carrick.ask(path, { method: 'POST', headers, body: JSON.stringify(input) })
}

interface Stored {
  readonly url: string
  readonly content_type: string
  readonly file_size: number
}
interface Media {
  readonly output: { text: string; copy_: Stored; parts: Stored[]; nothing: null }
}
const textAt = async ({ url }: Stored) => (await fetch(url.replace('https:', 'http:'))).text()

describe('a predictor with files', () => {
  test('gets files, secrets and its own defaults, and its files become URLs', async () => {
    const response = await call('/tester/media', { source: dataUrl('abc'), opened: dataUrl('open'), token: 'hush' })
    const { output } = (await response.json()) as Media
    expect(output.text).toBe('hi, from beside the default open .txt x 1 ********** hush')
    expect(output.copy_).toMatchObject({ content_type: 'text/plain', file_size: 3 })
    expect(await textAt(output.copy_)).toBe('abc')
    expect(output).toMatchObject({ parts: [], nothing: null })
  })

  test('takes a file of this server, and lists of files', async () => {
    const first = (await (await call('/tester/media', { source: dataUrl('one') })).json()) as Media
    const { url } = first.output.copy_
    const second = await call('/tester/media', { source: url, more: [url, dataUrl('two')], times: 2 })
    const { output } = (await second.json()) as Media
    expect(await textAt(output.copy_)).toBe('oneone')
    expect(await Promise.all(output.parts.map(textAt))).toEqual(['one', 'two'])
  })

  test('can be cancelled though it is not async, and the runner goes on', async () => {
    const input = { source: dataUrl('x'), mode: 'y' }
    expect(await cancelled('media', input)).toEqual([499, { detail: 'the prediction was cancelled' }])
    expect((await call('/tester/media', { source: dataUrl('x') })).status).toBe(200)
  })

  test.each([
    [{ source: dataUrl('x'), mode: 'z' }, 'mode'],
    [{ source: dataUrl('x'), times: 4 }, 'times'],
    [{}, 'source'],
    [{ source: 'file:///etc/hostname' }, 'source'],
    [{ source: '/etc/hostname' }, 'source'],
    [{ source: 'http://127.0.0.1:9/none' }, 'source'],
    [{ source: dataUrl('x'), more: ['data:nonsense'] }, 'more'],
  ])('refuses %j, and says which input it is', async (input, field) => {
    const response = await call('/tester/media', input)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ detail: [{ loc: ['body', field] }] })
  })
})

describe('a predictor that gives its output bit by bit', () => {
  test('answers with all of it', async () => {
    const response = await call('/tester/tokens', { text: 'yes' })
    expect(await response.json()).toEqual({ output: ['y', 'e', 's', '!'] })
  })

  test('streams it as events', async () => {
    const response = await call('/tester/tokens/stream', { text: 'ok' })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const events = ['o', 'k', '!'].map((output) => `data: {"output": "${output}"}\n\n`)
    expect(await response.text()).toBe(events.join(''))
  })

  test('can be cancelled', async () => {
    expect(await cancelled('tokens', { text: 'wait' })).toEqual([499, { detail: 'the prediction was cancelled' }])
  })

  test('checks what Input says, and a failure is one', async () => {
    expect((await call('/tester/tokens', { text: 'no' })).status).toBe(422)
    expect((await call('/tester/tokens', { text: 'fail' })).status).toBe(500)
  })
})

describe('a handler of RunPod', () => {
  interface Done {
    readonly id: string
    readonly status: string
    readonly output: { runner: string; job: string }
  }
  const run = async (input: string) => (await (await call('/tester/worker/runsync', { input })).json()) as Done

  test('knows its job, and its answer is that of /runsync', async () => {
    const { id, status, output } = await run('x')
    expect(status).toBe('COMPLETED')
    expect(output).toEqual({ job: id, runner: expect.any(String) })
    expect(id).not.toBe('')
  })

  test('may have its worker renewed, and its answer is kept', async () => {
    const first = await run('x')
    const refreshed = await run('refresh')
    expect(refreshed.output.runner).toBe(first.output.runner)
    expect((await run('x')).output.runner).not.toBe(first.output.runner)
  })

  test.each([
    ['raise', 'ValueError: it raised'],
    ['error', 'it says so'],
  ])('that fails (%s) is a request that failed', async (input, detail) => {
    const response = await call('/tester/worker/runsync', { input })
    expect([response.status, await response.json()]).toEqual([500, { detail }])
  })

  test('that is async can be cancelled', async () => {
    expect(await cancelled('worker/run', { input: 'wait' })).toEqual([499, { detail: 'the job was cancelled' }])
  })

  test('that is cancelled before it begins does not begin', async () => {
    const program = `
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
from runpod.worker import JobCancelled, Worker
worker = Worker("handler.py")
told = worker.cancel("1")
try:
    asyncio.run(worker.answer({"id": "1", "input": "wait"}))
except JobCancelled as cancelled:
    print(json.dumps([told, str(cancelled)]))`
    expect(await carrick.python(program, join(root, 'examples/runpod'))).toEqual([false, 'the job was cancelled'])
  })

  const kinds = {
    'a function': 'def handler(job): return job["input"] + 1',
    'a coroutine': 'async def handler(job): return job["input"] + 1',
    'a generator': 'def handler(job): yield from range(job["input"])',
    'an async generator': 'async def handler(job):\n    for n in range(job["input"]): yield n',
    'a function, renewed each time': 'def handler(job): return False',
  }
  test.each([
    ['a function', [3, false]],
    ['a coroutine', [3, false]],
    ['a generator', [[0, 1], false]],
    ['an async generator', [[0, 1], false]],
    ['a function, renewed each time', [false, true]],
  ] as const)('may be %s', async (kind, answer) => {
    const folder = await mkdtemp(join(parent, 'kind-'))
    await cp(join(root, 'examples/runpod/runpod'), join(folder, 'runpod'), { recursive: true })
    const refresh = kind.endsWith('each time') ? 'True' : 'False'
    const start = `if __name__ == "__main__":\n    runpod.serverless.start({"handler": handler, "refresh_worker": ${refresh}})`
    await writeFile(join(folder, 'handler.py'), `import runpod\n${kinds[kind]}\n${start}\n`)
    const program = `
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
from runpod.worker import Worker
print(json.dumps(asyncio.run(Worker("handler.py").answer({"id": "1", "input": 2}))))`
    expect(await carrick.python(program, folder)).toEqual(answer)
  })
})
