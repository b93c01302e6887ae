import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRootless, type Rootless, whyNoRootless } from '../../engine/rootless.ts'
import { Carrick, root, until } from '../carrick.ts'

const why = whyNoRootless()

/** The whole platform below an ordinary user, with an engine that this user runs: in a network of its own, with a loopback of its own. */
describe.skipIf(why !== undefined)(`with an engine in Docker's rootless mode (${why ?? 'here'})`, () => {
  let engine: Rootless
  let carrick: Carrick
  beforeAll(async () => {
    engine = await openRootless('python:3.11-slim')
    const folder = await mkdtemp(join(engine.folder, 'data-'))
    await chown(folder, engine.uid, engine.uid)
    const ours = {
      CARRICK_BACKEND: 'docker',
      CARRICK_SHARED_FOLDERS: '',
      CARRICK_HOST: '0.0.0.0',
      CARRICK_EGRESS: 'none',
    }
    const cache = { CARRICK_CACHE: join(engine.folder, 'cache') }
    carrick = await Carrick.startIn(folder, { ...engine.variables, ...ours, ...cache }, engine.begin)
  })
  afterAll(async () => {
    await carrick?.[Symbol.asyncDispose]()
    await engine?.[Symbol.asyncDispose]()
  })

  /** Runs a program as its user, and answers how that ended. */
  function asUser(variables: Record<string, string>, ...args: readonly string[]) {
    return endOf(startAsUser(variables, ...args))
  }

  function startAsUser(variables: Record<string, string>, ...args: readonly string[]) {
    const [program = '', ...all] = [...engine.begin, process.execPath, ...args]
    const env = { ...process.env, ...engine.variables, ...variables }
    return spawn(program, all, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  async function endOf(child: ReturnType<typeof startAsUser>) {
    const ended = once(child, 'exit')
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = (await ended) as [number | null]
    return { code, said: stdout + stderr }
  }

  test('an app is built, pushed, pulled and called, and reaches the platform and nothing else of the machine', async () => {
    await carrick.deploy('walled.py::App', 'walled', '--auth', 'private')
    const answer = await carrick.ask('/tester/walled', { method: 'POST', body: '{}' })
    const seen = (await answer.json()) as Record<string, unknown>
    expect([answer.status, seen]).toMatchObject([
      200,
      { known: 200, frozen: 200, control: 'refused', metadata: 'refused' },
    ])
  })

  test('status says that the engine is rootless', async () => {
    const { stdout } = await carrick.carrick('status')
    expect(stdout).toContain(', rootless')
  })

  test('the escape suite passes there', async () => {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs')
    const file = 'packages/server/src/backends/docker/escape/escape.docker.test.ts'
    const args = ['run', '--configLoader=runner', '--project=docker', '--no-color', '--reporter=verbose', file]
    const later = '10.219.98.1'
    take() // what a killed run left would not be later
    const suite = startAsUser(
      { CARRICK_TEST_COMPILED: engine.folder, CARRICK_TEST_LATER_ADDRESS: later },
      vitest,
      ...args,
    )
    // Once its first test has passed its walls are up.
    suite.stdout.on('data', (chunk: Buffer) => chunk.includes('✓') && give(later))
    const { code, said } = await endOf(suite).finally(take)
    expect(code, said.slice(-10_000)).toBe(0)
    expect(said).toContain('it is the user outside who runs the server (a rootless engine)')
    expect(said).toMatch(/✓.*an address that the machine gets later is not reached either \(10/)
  })

  const dummy = 'ckrlater'
  const ip = (...args: readonly string[]) => spawnSync('ip', args).status
  /** By a bridge without members, which every kernel with containers can make. */
  const give = (address: string) =>
    ip('link', 'add', dummy, 'type', 'bridge') === 0 &&
    ip('addr', 'add', `${address}/24`, 'dev', dummy) === 0 &&
    ip('link', 'set', dummy, 'up')
  const take = () => ip('link', 'delete', dummy)

  const podman = '/usr/bin/podman'
  test.skipIf(!existsSync(podman))(
    `a server does not start on Podman without root, and says what to do (${existsSync(podman) ? 'here' : 'podman is not installed'})`,
    async () => {
      const folder = await mkdtemp(join(engine.folder, 'podman-'))
      await chown(folder, engine.uid, engine.uid)
      const socket = join(folder, 'socket')
      const places = ['--root', join(folder, 'images'), '--runroot', join(folder, 'run'), '--cgroup-manager=cgroupfs']
      const [setpriv = '', ...becoming] = engine.begin
      const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...engine.variables, XDG_RUNTIME_DIR: folder }
      const args = [
        ...becoming,
        podman,
        ...places,
        '--events-backend=file',
        'system',
        'service',
        '--time=0',
        `unix://${socket}`,
      ]
      // Podman goes on as another process, in namespaces of its user's: both are of this group.
      const service = spawn(setpriv, args, { cwd: folder, env, stdio: 'ignore', detached: true })
      const ended = once(service, 'exit')
      try {
        await until(async () => existsSync(socket), 'Podman to listen')
        const settings = { DOCKER_HOST: `unix://${socket}`, CARRICK_DATA: await mkdtemp(join(engine.folder, 'not-')) }
        await chown(settings.CARRICK_DATA, engine.uid, engine.uid)
        const cli = join(root, 'packages/cli/bin/carrick.js')
        const { code, said } = await asUser(settings, cli, 'up', '--port', '0', '--backend', 'docker')
        expect([code, said]).toEqual([1, expect.stringContaining('is Podman without root')])
        expect(said).toContain("Run Docker's rootless mode")
      } finally {
        if (service.pid !== undefined) process.kill(-service.pid, 'SIGKILL')
        await ended
        // What it keeps its namespaces by outlives it.
        const pause = await readFile(join(folder, 'libpod/tmp/pause.pid'), 'utf8').catch(() => '')
        if (Number(pause) > 1) process.kill(Number(pause))
      }
    },
  )

  test('a server of another user does not start on it, and says whose it is', async () => {
    const settings = { DOCKER_HOST: engine.host, CARRICK_DATA: await mkdtemp(join(engine.folder, 'roots-')) }
    const { code, stderr } = await carrick.carrickWith(settings, 'up', '--port', '0', '--backend', 'docker')
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`it runs as user ${engine.uid}, and this server as user 0`),
    ])
  })
})
