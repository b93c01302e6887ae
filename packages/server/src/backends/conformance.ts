/** What every backend promises, as tests. A backend that cannot keep a promise names it in `cannot`, with the reason. */
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
import type { ExecOutput, ExecSession, RunnerBackend, RunnerOutput, RunnerSpec, TerminalSize } from './backend.ts'

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
  /** What every specification has besides: an image, and what of this machine is in it. */
  readonly spec?: Partial<RunnerSpec>
  /** Where a program binds in order to be reached. Absent: on loopback. */
  readonly bind?: string
  /** Those of a runner's processes that run, of some known by ids of its own. Absent: they count as this machine does. */
  readonly running?: (id: RunnerId, pids: readonly number[]) => readonly number[]
  /** Why it cannot keep some of the promises, by the names of their tests. */
  readonly cannot?: Readonly<Record<string, string>>
}

const never = new AbortController().signal
const patience = { timeout: 20_000, interval: 10 }

/** Serves its environment as JSON, and starts whatever the program before it asks for. */
const serverAt = (host: string) => `
require('node:http').createServer((_, answer) => answer.end(JSON.stringify({ pid: process.pid, children, env: process.env })))
  .listen(Number(process.env.PORT), '${host}')`

/** Two processes below the server: one in its process group, one that left it. */
const family = `
const sleep = ['-e', 'setInterval(() => {}, 1000)']
const { spawn } = require('node:child_process')
const children = [spawn(process.execPath, sleep), spawn(process.execPath, sleep, { detached: true })].map(({ pid }) => pid)`

const alone = 'const children = []'

export function describeBackend(name: string, backend: BackendUnderTest, skip: string | false = false): void {
  describe.skipIf(skip !== false)(`backend ${name}`, () => {
    const server = serverAt(backend.bind ?? '127.0.0.1')
    const running = backend.running ?? ((_: RunnerId, pids: readonly number[]) => pids.filter(isRunning))
    let place: Place
    let runners: RunnerBackend
    let output: RunnerOutput[]

    beforeEach(async (context) => {
      const why = backend.cannot?.[context.task.name]
      context.skip(why !== undefined, why)
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
      accountId: 'account',
      command: [...backend.node, program],
      variables,
      mounts: [],
      ...backend.spec,
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
      expect(running(id, [pid, ...children])).toEqual([])
      await runners.kill(id, never)
      await runners.kill(randomUUID(), never)
    })

    test('a runner that ends by itself leaves nothing behind', async () => {
      const id = await started(`${family};console.log(JSON.stringify(children));process.exit(0)`)
      expect(await sighted(id, 'exited')).toEqual({ kind: 'exited', exit: { code: 0, signal: null } })
      expect(running(id, JSON.parse(output[0]?.text ?? '') as number[])).toEqual([])
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

    test('changes are announced, with the runner that they are about', async () => {
      const seen: (string | undefined)[] = []
      const spec = specOf(`${alone};${server}`)
      runners.onChange((id) => void sightingOf(id).then((sighting) => seen.push(sighting?.kind)))
      await runners.start(spec, never)
      await vi.waitFor(() => expect(seen).toEqual(['accepting']), patience)
      await runners.kill(spec.id, never)
      await vi.waitFor(() => expect(seen).toEqual(['accepting', 'exited']), patience)
    })

    test('only some are listed where somebody asks for only some', async () => {
      const [one, other] = [await started(`${alone};${server}`), await started(`${alone};${server}`)]
      const listed = await runners.list(never, new Set([one, randomUUID()]))
      expect([...listed.keys()]).toEqual([one])
      expect([...(await runners.list(never)).keys()]).toEqual(expect.arrayContaining([one, other]))
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

    test('tells what a runner and all that it started use', async () => {
      const id = await started(`
        const { spawn } = require('node:child_process')
        spawn(process.execPath, ['-e', 'const kept = Buffer.alloc(5e7, 1); for (;;) kept[0]++'])
        ;${alone};${server}`)
      await sighted(id, 'accepting')
      const used = async () => (await runners.usage(never)).get(id) ?? { cpuSeconds: 0, memoryBytes: 0 }
      await vi.waitFor(
        async () => expect(await used()).toMatchObject({ memoryBytes: expect.toSatisfy(over(5e7)) }),
        patience,
      )
      const { cpuSeconds } = await used()
      await vi.waitFor(async () => expect((await used()).cpuSeconds).toBeGreaterThan(cpuSeconds + 0.2), patience)
      await runners.kill(id, never)
      expect((await runners.usage(never)).get(id)).toBeUndefined()
    })

    describe('frozen', () => {
      const busy = 'setInterval(() => { for (const until = Date.now() + 5; Date.now() < until;); }, 10)'
      const atWork = async (program = '') => {
        const id = await started(`${program};${busy};${alone};${server}`)
        return { id, address: (await sighted(id, 'accepting')).address }
      }
      const cpuOf = async (id: RunnerId) => (await runners.usage(never)).get(id)?.cpuSeconds ?? 0
      /** On a very busy machine an engine may give up, and let it go on: nothing is frozen then, and one may ask again. */
      const freeze = (id: RunnerId) =>
        vi.waitFor(() => runners.freezer?.freeze(id, never), { ...patience, timeout: 100_000 })
      /** A neighbour's work shows that time has passed. */
      const stands = async (id: RunnerId, neighbour: RunnerId) => {
        const [before, others] = [await cpuOf(id), await cpuOf(neighbour)]
        await vi.waitFor(async () => expect(await cpuOf(neighbour)).toBeGreaterThan(others + 0.3), patience)
        return (await cpuOf(id)) - before < 0.02
      }

      test('a runner takes no CPU, keeps what it has, and goes on', async () => {
        const [{ id, address }, other] = [await atWork(), await atWork()]
        const { pid } = await state(address)
        await freeze(id)
        await freeze(id)
        await vi.waitFor(async () => expect(await stands(id, other.id)).toBe(true), patience)
        expect(await sightingOf(id)).toMatchObject({ kind: 'accepting' })
        await runners.freezer?.thaw(id, never)
        await runners.freezer?.thaw(id, never)
        expect((await state(address)).pid).toBe(pid)
        const before = await cpuOf(id)
        await vi.waitFor(async () => expect(await cpuOf(id)).toBeGreaterThan(before + 0.1), patience)
      })

      test('a runner that is thawed while it is being frozen goes on', async () => {
        const { id, address } = await atWork()
        await Promise.allSettled([runners.freezer?.freeze(id, never), runners.freezer?.thaw(id, never)])
        expect((await state(address)).env['CARRICK_RUNNER_ID']).toBe(id)
      })

      test('a runner hears that it is to end, and may take its time', async () => {
        const { id } = await atWork(
          `process.on('SIGTERM', () => { console.log('bye'); setTimeout(() => process.exit(7), 50) })`,
        )
        await freeze(id)
        await runners.terminate(id, never)
        expect(await sighted(id, 'exited')).toEqual({ kind: 'exited', exit: { code: 7, signal: null } })
        expect(output.map((line) => line.text)).toEqual(['bye'])
      })

      test('a runner is killed with all that it started', async () => {
        const id = await started(`${family};${server}`)
        const { pid, children } = await state((await sighted(id, 'accepting')).address)
        await freeze(id)
        await runners.kill(id, never)
        expect(await sightingOf(id)).toEqual({ kind: 'exited', exit: { code: null, signal: 'SIGKILL' } })
        expect(running(id, [pid, ...children])).toEqual([])
        await runners.freezer?.thaw(id, never)
      })

      test('a runner that a killed server left behind can be ended by the next one', async () => {
        const spec = specOf(`${family};${server}`)
        await startInAnotherProcess(backend, place, spec, { frozen: true })
        const next = await backend.open(place)
        expect([...(await next.list(never))]).toEqual([[spec.id, { kind: 'starting' }]])
        await next.kill(spec.id, never)
        expect((await next.list(never)).size).toBe(0)
        await next.close()
      })
    })

    describe('a command beside a runner', () => {
      const shell = (script: string) => ['/bin/sh', '-c', script]
      const besides = async (command: readonly string[], terminal?: TerminalSize) => {
        const id = await started(`${alone};${server}`, { GREETING: 'grüß dich' })
        await sighted(id, 'accepting')
        return { id, session: await runners.exec(id, { command, ...(terminal && { terminal }) }, never) }
      }
      const run = async (command: readonly string[], terminal?: TerminalSize) => {
        const { session } = await besides(command, terminal)
        session.endInput()
        return ended(session)
      }

      test('has its variables and its working folder', async () => {
        const { id, session } = await besides(shell('printf "%s %s " "$GREETING" "$CARRICK_RUNNER_ID"; pwd'))
        const { stdout } = await ended(session)
        expect(stdout).toContain(`grüß dich ${id} /`)
        expect(stdout.trim().split(' ').at(-1)).toBe(join(place.folder, id, 'work'))
      })

      test('keeps output, errors and exit code apart', async () => {
        expect(await run(shell('echo good; echo bad >&2; exit 3'))).toEqual({
          stdout: 'good\n',
          stderr: 'bad\n',
          code: 3,
        })
      })

      test('tells a signal as shells do', async () => {
        expect((await run(shell('kill -TERM $$'))).code).toBe(143)
      })

      test('that does not exist ends with 127 and a line that names it', async () => {
        expect(await run(['no-such-program'])).toMatchObject({
          code: 127,
          stderr: expect.stringContaining('no-such-program'),
        })
      })

      test('takes bytes as they are, and its input has an end', async () => {
        const { session } = await besides(['/bin/cat'])
        const sent = Buffer.from(Array.from({ length: 4_000_000 }, (_, index) => index % 256))
        const answer = ended(session, 'latin1')
        for (let at = 0; at < sent.length; at += 65_536) await session.write(sent.subarray(at, at + 65_536))
        session.endInput()
        const { stdout, code } = await answer
        expect(code).toBe(0)
        expect(Buffer.from(stdout, 'latin1').equals(sent)).toBe(true)
      })

      test('may say much to a reader who takes its time', async () => {
        const { session } = await besides(shell('head -c 20000000 /dev/zero; echo end >&2'))
        const chunks = session.output[Symbol.asyncIterator]()
        let bytes = (await chunks.next()).value.data.length as number
        for (let step = await chunks.next(); step.done !== true; step = await chunks.next())
          bytes += step.value.data.length
        expect([bytes, await session.exitCode]).toEqual([20_000_000 + 'end\n'.length, 0])
      })

      test('may leave its input unread', async () => {
        const { session } = await besides(['/bin/true'])
        const answer = ended(session)
        for (let round = 0; round < 64; round += 1) await session.write(Buffer.alloc(65_536))
        expect((await answer).code).toBe(0)
      })

      test('has a terminal of the size that was asked for, and of the next', async () => {
        const { session } = await besides(shell('stty size; read line; stty size'), { rows: 33, columns: 111 })
        const seen = spoken(session)
        await vi.waitFor(() => expect(seen.text).toContain('33 111'), patience)
        session.resize({ rows: 44, columns: 99 })
        await vi.waitFor(async () => {
          await session.write(Buffer.from('\n'))
          expect(seen.text).toContain('44 99')
        }, patience)
        expect(await session.exitCode).toBe(0)
      })

      test('on a terminal hears Ctrl-C', async () => {
        const { session } = await besides(
          shell('trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.1; done'),
          tall,
        )
        const seen = spoken(session)
        await vi.waitFor(() => expect(seen.text).toContain('ready'), patience)
        await session.write(Buffer.from([3]))
        expect(await session.exitCode).toBe(5)
        expect(seen.text).toContain('caught')
      })

      test('on a terminal is told when its input has ended, however late it looks', async () => {
        expect((await run(shell('sleep 0.2; cat; echo done'), tall)).stdout).toContain('done')
      })

      test('without a name is a shell, which ends with its input', async () => {
        const { session } = await besides([], tall)
        await session.write(Buffer.from('echo $((40 + 2)); exit 4'))
        session.endInput()
        const { stdout, code } = await ended(session)
        expect([code, stdout]).toEqual([4, expect.stringContaining('42')])
      })

      test('ends with all that it started when it is let go', async () => {
        const { id, session } = await besides(shell(`${detached} & echo $! $$; wait`))
        const seen = spoken(session)
        await vi.waitFor(() => expect(seen.text).toMatch(/\d+ \d+\n/), patience)
        const pids = seen.text.trim().split(' ').map(Number)
        expect(running(id, pids)).toEqual(pids)
        await session[Symbol.asyncDispose]()
        expect(running(id, pids)).toEqual([])
      })

      test('does not wait for what it left behind, and ends that', async () => {
        const { id, session } = await besides(shell(`${detached} & echo $!`))
        session.endInput()
        const { stdout, code } = await ended(session)
        expect(code).toBe(0)
        await vi.waitFor(() => expect(running(id, [Number(stdout)])).toEqual([]), patience)
      })

      test('ends with the runner', async () => {
        const { id, session } = await besides(shell('echo $$; sleep 1000'))
        const seen = spoken(session)
        await vi.waitFor(() => expect(seen.text).toMatch(/\d+\n/), patience)
        await runners.kill(id, never)
        expect(await session.exitCode).toBeUndefined()
        expect(running(id, [Number(seen.text)])).toEqual([])
      })

      test('is refused for a runner that is not alive', async () => {
        const refused = { code: 'runner_not_found' }
        await expect(runners.exec(randomUUID(), { command: ['true'] }, never)).rejects.toMatchObject(refused)
        const id = await started('process.exit(0)')
        await sighted(id, 'exited')
        await expect(runners.exec(id, { command: ['true'] }, never)).rejects.toMatchObject(refused)
      })

      test('is refused when many run there already', async () => {
        const { id, session } = await besides(['/bin/cat'])
        const others = await Promise.allSettled(
          Array.from({ length: 40 }, () => runners.exec(id, { command: ['/bin/cat'] }, never)),
        )
        const refused = { status: 'rejected', reason: expect.objectContaining({ code: 'too_busy' }) }
        expect(others).toContainEqual(refused) // on a busy machine others begin too late
        await runners.kill(id, never)
        expect(await session.exitCode).toBeUndefined()
      })
    })

    test('close ends what still lives', async () => {
      const id = await started(`${family};${server}`)
      const { pid, children } = await state((await sighted(id, 'accepting')).address)
      await runners.close()
      expect(running(id, [pid, ...children])).toEqual([])
    })

    test('after a kill -9 of the server the next one lists what it left behind, and can end it', async () => {
      const spec = specOf(`${family};${server}`)
      const { pid, children } = await state(await startInAnotherProcess(backend, place, spec))
      expect(running(spec.id, [pid, ...children])).toEqual([pid, ...children])

      const next = await backend.open(place)
      expect([...(await next.list(never))]).toEqual([[spec.id, { kind: 'starting' }]])
      await next.start(spec, never)
      expect((await next.list(never)).size).toBe(1)
      await next.kill(spec.id, never)
      expect(running(spec.id, [pid, ...children])).toEqual([])
      expect((await next.list(never)).size).toBe(0)
      await next.close()
    })
  })
}

const tall: TerminalSize = { rows: 50, columns: 100 }
/** Starts a process that leaves the session and the process group. */
const detached = 'setsid sleep 1000 >/dev/null 2>&1'
const over = (least: number) => (value: number) => value >= least

/** Everything a command says until its end. */
async function ended({ output, exitCode }: ExecSession, encoding: BufferEncoding = 'utf8') {
  const said: Record<ExecOutput['stream'], Uint8Array[]> = { stdout: [], stderr: [] }
  for await (const { stream, data } of output) said[stream].push(data)
  const whole = (stream: ExecOutput['stream']) => Buffer.concat(said[stream]).toString(encoding)
  return { stdout: whole('stdout'), stderr: whole('stderr'), code: await exitCode }
}

/** What a command has said so far. */
function spoken(session: ExecSession): { readonly text: string } {
  const seen = { text: '' }
  void (async () => {
    for await (const { data } of session.output) seen.text += Buffer.from(data).toString()
  })()
  return seen
}

/** Until it is: an engine may give up on a very busy machine. */
const freezing = `
        const freeze = () => backend.freezer.freeze(JSON.parse(spec).id, new AbortController().signal)
        for (let tries = 0; tries < 20 && (await freeze().then(() => false, () => true)); tries += 1);`

/** Opens the backend in a process of its own, starts a runner, waits for it and kills that process without warning. */
export async function startInAnotherProcess(
  backend: BackendUnderTest,
  place: Place,
  spec: RunnerSpec,
  { frozen } = { frozen: false },
): Promise<Address> {
  const host = `
    const [module, exported, place, spec] = process.argv.slice(1)
    const { [exported]: open } = await import(module)
    const backend = await open(JSON.parse(place))
    backend.onChange(async () => {
      for (const { kind, address } of (await backend.list()).values()) {
        if (kind !== 'accepting') continue
        ${frozen ? freezing : ''}
        process.stdout.write(JSON.stringify(address), () => process.kill(process.pid, 'SIGKILL'))
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
