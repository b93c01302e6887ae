import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCaller } from '../../../calls/undici-caller.ts'
import type { Address } from '../../../domain/runner.ts'
import { silent } from '../../../kit/logger.ts'
import { WaysIn } from '../../../kit/ways-in.ts'
import type { RunnerBackend } from '../../backend.ts'
import { openEngine } from '../engine/engine.ts'
import { createDockerBackend } from '../index.ts'
import { testImage } from '../testing.ts'

const never = new AbortController().signal
const waysIn = new WaysIn()
const caller = createCaller(waysIn)
const id = randomUUID()
let folder: string
let backend: RunnerBackend
let address: Address

/** It answers with who calls it and where that is connected. Each call is a connection of its own. */
const program = `
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(f'{self.client_address[0]} {self.connection.getsockname()[0]}'.encode())
http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Handler).serve_forever()`

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-entry-'))
  const engine = await openEngine()
  backend = await createDockerBackend({ engine, folder, installation: randomUUID(), log: silent, waysIn })
  const accepting = new Promise<Address>((resolve) =>
    backend.onChange(async () => {
      const seen = (await backend.list(never)).get(id)
      if (seen?.kind === 'accepting') resolve(seen.address)
    }),
  )
  await backend.start(
    {
      id,
      appId: 'app',
      revisionId: 'revision',
      accountId: 'account',
      command: ['python3', '-c', program],
      image: { reference: testImage },
      variables: {},
      mounts: [],
    },
    never,
  )
  address = await accepting
})
afterAll(async () => {
  await caller.close()
  await backend.close()
  await rm(folder, { recursive: true, force: true })
})

async function call(path: string): Promise<string> {
  const limits = { connectTimeoutMs: 10_000, requestTimeoutMs: 60_000, signal: never }
  const answer = await caller.exchange(address, { method: 'GET', path, headers: [], body: null }, limits)
  return answer.kind === 'answered' ? text(answer.body) : answer.kind
}

/** Our child that opens connections. */
async function entering(): Promise<number | undefined> {
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  for (const pid of children.split(' ').filter((each) => each !== '')) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (command.includes('carrick_enter')) return Number(pid)
  }
  return undefined
}

const root = process.getuid?.() === 0

test.skipIf(!root)('a call is connected inside of the container: the app is called from its own address', async () => {
  const [from, at] = (await call('/')).split(' ')
  expect(from).toBe(at)
  expect(from).not.toBe('127.0.0.1')
})

test.skipIf(!root)('while what enters is lost, calls go by the published port; then it is started again', async () => {
  for (let round = 0; round < 4; round += 1) {
    await call('/')
    const lost = await entering()
    if (lost === undefined) throw new Error('the program that enters is not there')
    process.kill(lost, 'SIGKILL')
    const answers = await Promise.all(Array.from({ length: 8 }, () => call('/')))
    for (const answer of answers) expect(answer).toMatch(/^[\d.]+ [\d.]+$/)
    const isBack = async () => (await call('/'), ![undefined, lost].includes(await entering()))
    await expect.poll(isBack, { timeout: 30_000 }).toBe(true)
  }
  const [from, at] = (await call('/')).split(' ')
  expect(from).toBe(at)
})
