/** What every backend promises, as tests. A backend that cannot keep a promise names it in `skip`, with the reason. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RunnerId } from '../domain/ids.ts'
import type { Address, Sighting } from '../domain/runner.ts'
import type { RunnerBackend, RunnerOutput, RunnerSpec } from './backend.ts'

export interface Place {
  readonly folder: string
  readonly installation: string
}

export interface BackendUnderTest {
  readonly open: (place: Place) => Promise<RunnerBackend>
  /** Where `open` is exported, so that another process can open the backend too. */
  readonly module: string
  readonly exported: string
  /** The start of a command that runs a JavaScript program given as the next argument. */
  readonly node: readonly string[]
}

const never = new AbortController().signal
const patience = { timeout: 20_000, interval: 10 }

/** Serves its environment as JSON, and starts whatever the program before it asks for. */
const server = `
require('node:http').createServer((_, answer) => answer.end(JSON.stringify({ pid: process.pid, children, env: process.env })))
  .listen(Number(process.env.PORT), '127.0.0.1')`

/** Two processes below the server: one in its process group, one that left it. */
const family = `
const sleep = ['-e', 'setInterval(() => {}, 1000)']
const { spawn } = require('node:child_process')
const children = [spawn(process.execPath, sleep), spawn(process.execPath, sleep, { detached: true })].map(({ pid }) => pid)`

const alone = 'const children = []'

export function describeBackend(name: string, backend: BackendUnderTest, skip: string | false = false): void {
  describe.skipIf(skip !== false)(`backend ${name}`, () => {
    let place: Place
    let runners: RunnerBackend
    let output: RunnerOutput[]

    beforeEach(async () => {
      place = { folder: await mkdtemp(join(tmpdir(), 'carrick-runners-')), installation: randomUUID() }
      runners = await backend.open(place)
      output = []
      runners.onOutput((line) => output.push(line))
    })
    afterEach(async () => {
      await runners.close()
      await rm(place.folder, { recursive: true, force: true })
    })

    const specOf = (program: string, variables: Record<string, string> = {}): RunnerSpec => ({
      id: randomUUID(),
      appId: 'app',
      revisionId: 'revision',
      command: [...backend.node, program],
      variables,
      mounts: [],
    })

    async function started(program: string, variables?: Record<string, string>): Promise<RunnerId> {
      const spec = specOf(program, variables)
      await runners.start(spec, never)
      return spec.id
    }

    const sightingOf = async (id: RunnerId): Promise<Sighting | undefined> => (await runners.list(never)).get(id)

    const sighted = <Kind extends Sighting['kind']>(id: RunnerId, kind: Kind) =>
      vi.waitFor(async () => {
        const seen = await sightingOf(id)
        if (seen?.kind !== kind) throw new Error(`${id} is ${seen?.kind ?? 'not listed'}, not ${kind}`)
        return seen as Extract<Sighting, { kind: Kind }>
      }, patience)

    test('a runner is listed at once, and accepts at the address that is told', async () => {
      const id = await started(`${alone};${server}`)
      expect(await sightingOf(id)).toBeDefined()
      const { address } = await sighted(id, 'accepting')
      expect((await state(address)).env['CARRICK_RUNNER_ID']).toBe(id)
    })

    test('starting a runner twice makes one', async () => {
      const spec = specOf(`console.log('started');${alone};${server}`)
      await Promise.all([runners.start(spec, never), runners.start(spec, never)])
      await sighted(spec.id, 'accepting')
      await runners.start(spec, never)
      expect((await runners.list(never)).size).toBe(1)
      expect(output.map((line) => line.text)).toEqual(['started'])
    })

    test('runners started at the same time have ports of their own', async () => {
      const ids = await Promise.all(Array.from({ length: 6 }, () => started(`${alone};${server}`)))
      const sightings = await Promise.all(ids.map((id) => sighted(id, 'accepting')))
      expect(new Set(sightings.map(({ address }) => `${address.host}:${address.port}`)).size).toBe(6)
    })

    test('a runner has the environment of its specification and nothing of the server', async () => {
      vi.stubEnv('CARRICK_TEST_SECRET', 'of the server')
      const id = await started(`${alone};${server}`, { GREETING: 'grüß dich' })
      vi.unstubAllEnvs()
      const { env } = await state((await sighted(id, 'accepting')).address)
      expect(env).toMatchObject({ GREETING: 'grüß dich', CARRICK_INSTALLATION: place.installation })
      expect(env['METRICS_PORT']).not.toBe(env['PORT'])
      expect(env).not.toHaveProperty('CARRICK_TEST_SECRET')
    })

    test('terminate is a SIGTERM that the runner answers in its own time; asking again changes nothing', async () => {
      const id =
        await started(`process.on('SIGTERM', () => { console.log('bye'); setTimeout(() => process.exit(7), 50) })
        ;${alone};${server}`)
      await sighted(id, 'accepting')
      await runners.terminate(id, never)
      await runners.terminate(id, never)
      expect(await sighted(id, 'exited')).toEqual({ kind: 'exited', exit: { code: 7, signal: null } })
      expect(output.map((line) => line.text)).toEqual(['bye'])
      await runners.terminate(id, never)
    })

    test('an exit tells its signal', async () => {
      const id = await started(`process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)`)
      expect(await sighted(id, 'exited')).toEqual({ kind: 'exited', exit: { code: null, signal: 'SIGTERM' } })
    })

    test('a program that does not exist is an exit with code 127 and a line that names it', async () => {
      const spec = { ...specOf(''), command: ['/nowhere/bin/python', 'x'] }
      await runners.start(spec, never)
      expect(await sighted(spec.id, 'exited')).toEqual({ kind: 'exited', exit: { code: 127, signal: null } })
      expect(output).toEqual([expect.objectContaining({ stream: 'stderr', text: expect.stringContaining('/nowhere') })])
    })

    test('kill ends a runner and all that it started, and may be repeated', async () => {
      const id = await started(`${family};${server}`)
      const { pid, children } = await state((await sighted(id, 'accepting')).address)
      await runners.kill(id, never)
      expect(await sightingOf(id)).toEqual({ kind: 'exited', exit: { code: null, signal: 'SIGKILL' } })
      expect([pid, ...children].filter(isRunning)).toEqual([])
      await runners.kill(id, never)
      await runners.kill(randomUUID(), never)
    })

    test('a runner that ends by itself leaves nothing behind', async () => {
      const id = await started(`${family};console.log(JSON.stringify(children));process.exit(0)`)
      expect(await sighted(id, 'exited')).toEqual({ kind: 'exited', exit: { code: 0, signal: null } })
      expect((JSON.parse(output[0]?.text ?? '') as number[]).filter(isRunning)).toEqual([])
    })

    test('its lines arrive whole and in order, with the request that wrote them, before its end is told', async () => {
      const id = await started(`
        const { writeSync } = require('node:fs')
        writeSync(1, 'plain\\n\\x1erequest-1\\x1ftagged grü')
        for (const byte of Buffer.from('ß€\\n')) writeSync(1, Buffer.of(byte))
        writeSync(2, 'trouble\\r\\nlast words')
        process.exit(3)`)
      await sighted(id, 'exited')
      expect(output.filter(({ stream }) => stream === 'stdout')).toEqual([
        { runnerId: id, stream: 'stdout', text: 'plain' },
        { runnerId: id, stream: 'stdout', text: 'tagged grüß€', requestId: 'request-1' },
      ])
      expect(output.filter(({ stream }) => stream === 'stderr').map((line) => line.text)).toEqual([
        'trouble',
        'last words',
      ])
    })

    test('nobody needs to listen: a runner that writes much is not held up', async () => {
      const id = await started(`process.stdout.write('x'.repeat(5e6), () => process.exit(0))`)
      await sighted(id, 'exited')
      expect(output.map((line) => line.text.length).reduce((sum, length) => sum + length, 0)).toBe(5e6)
    })

    test('changes are announced', async () => {
      const seen: (string | undefined)[] = []
      const spec = specOf(`${alone};${server}`)
      runners.onChange(() => void sightingOf(spec.id).then((sighting) => seen.push(sighting?.kind)))
      await runners.start(spec, never)
      await vi.waitFor(() => expect(seen).toEqual(['accepting']), patience)
      await runners.kill(spec.id, never)
      await vi.waitFor(() => expect(seen).toEqual(['accepting', 'exited']), patience)
    })

    test('a runner is forgotten when it has exited, and not before', async () => {
      const id = await started(`${alone};${server}`)
      await sighted(id, 'accepting')
      await runners.forget(id)
      expect(await sightingOf(id)).toMatchObject({ kind: 'accepting' })
      await runners.kill(id, never)
      await runners.forget(id)
      expect(await sightingOf(id)).toBeUndefined()
      await runners.forget(id)
    })

    test('close ends what still lives', async () => {
      const id = await started(`${family};${server}`)
      const { pid, children } = await state((await sighted(id, 'accepting')).address)
      await runners.close()
      expect([pid, ...children].filter(isRunning)).toEqual([])
    })

    test('after a kill -9 of the server the next one lists what it left behind, and can end it', async () => {
      const spec = specOf(`${family};${server}`)
      const { pid, children } = await state(await startInAnotherProcess(backend, place, spec))
      expect([pid, ...children].filter(isRunning)).toEqual([pid, ...children])

      const next = await backend.open(place)
      expect([...(await next.list(never))]).toEqual([[spec.id, { kind: 'starting' }]])
      await next.start(spec, never)
      expect((await next.list(never)).size).toBe(1)
      await next.kill(spec.id, never)
      expect([pid, ...children].filter(isRunning)).toEqual([])
      expect((await next.list(never)).size).toBe(0)
      await next.close()
    })
  })
}

/** Opens the backend in a process of its own, starts a runner, waits for it and kills that process without warning. */
export async function startInAnotherProcess(
  backend: BackendUnderTest,
  place: Place,
  spec: RunnerSpec,
): Promise<Address> {
  const host = `
    const [module, exported, place, spec] = process.argv.slice(1)
    const { [exported]: open } = await import(module)
    const backend = await open(JSON.parse(place))
    backend.onChange(async () => {
      for (const { kind, address } of (await backend.list()).values()) {
        if (kind === 'accepting') process.stdout.write(JSON.stringify(address), () => process.kill(process.pid, 'SIGKILL'))
      }
    })
    await backend.start(JSON.parse(spec), new AbortController().signal)`
  const flags = ['--conditions=carrick-source', '--input-type=module', '-e', host]
  const args = [...flags, backend.module, backend.exported, JSON.stringify(place), JSON.stringify(spec)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [told] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return JSON.parse(told) as Address
}

interface State {
  readonly pid: number
  readonly children: readonly number[]
  readonly env: Readonly<Record<string, string>>
}

/** What the runner at this address says of itself. */
export async function state(address: Address): Promise<State> {
  const call = request({ ...address, agent: false }).end()
  const [answer] = await once(call, 'response')
  return JSON.parse(await text(answer)) as State
}

export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8')) // a zombie only waits to be reaped
  } catch {
    return false
  }
}
