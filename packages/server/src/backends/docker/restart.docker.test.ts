import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RunnerId } from '../../domain/ids.ts'
import type { Sighting } from '../../domain/runner.ts'
import { silent } from '../../kit/logger.ts'
import type { RunnerBackend, RunnerOutput } from '../backend.ts'
import { state } from '../conformance.ts'
import { createDockerBackend } from './index.ts'
import { nodeInside, OwnEngine } from './engine/own-engine.ts'

const never = new AbortController().signal
const patience = { timeout: 120_000, interval: 50 }
const image = 'carrick-test:node'
const whyNot =
  existsSync('/usr/sbin/dockerd') && process.getuid?.() === 0
    ? undefined
    : 'an engine of its own needs docker.io and root'

const server = `require('node:http').createServer((_, answer) => answer.end(JSON.stringify({ pid: process.pid, env: process.env })))
  .listen(Number(process.env.PORT), '0.0.0.0', () => console.log('listens'))`

describe.skipIf(whyNot !== undefined)(
  `an engine that stops and comes back${whyNot ? ` (not run: ${whyNot})` : ''}`,
  () => {
    let engine: OwnEngine
    let folder: string
    let installation: string
    let backend: RunnerBackend
    let output: RunnerOutput[]

    beforeAll(async () => {
      engine = await OwnEngine.start(image)
    })
    afterAll(async () => engine?.[Symbol.asyncDispose]())
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'carrick-runners-'))
      installation = randomUUID()
      output = []
      backend = await open()
    })
    afterEach(async () => {
      await engine.begin() // where a test left it stopped
      await backend.close()
      await rm(folder, { recursive: true, force: true })
    })

    async function open(): Promise<RunnerBackend> {
      const opened = await createDockerBackend({ folder, installation, engine: await engine.open(), log: silent })
      opened.onOutput((line) => output.push(line))
      return opened
    }

    async function start(): Promise<RunnerId> {
      const id = randomUUID()
      const own = { id, appId: 'app', revisionId: 'revision', accountId: 'account', variables: {}, mounts: [] }
      await backend.start({ ...own, command: [nodeInside, '-e', server], image: { reference: image } }, never)
      return id
    }

    const sightingOf = async (id: RunnerId) => (await backend.list(never)).get(id)
    const sighted = <Kind extends Sighting['kind']>(id: RunnerId, kind: Kind) =>
      vi.waitFor(async () => {
        const seen = await sightingOf(id)
        if (seen?.kind !== kind) throw new Error(`${id} is ${seen?.kind ?? 'not listed'}, not ${kind}`)
        return seen as Extract<Sighting, { kind: Kind }>
      }, patience)

    test.each(['SIGTERM', 'SIGKILL'] as const)(
      'takes its runners along, which are seen to have ended; what is started meanwhile runs when it is back (%s)',
      async (signal) => {
        const before = await Promise.all([start(), start()])
        await Promise.all(before.map((id) => sighted(id, 'accepting')))

        await engine.stop(signal)
        const meanwhile = await Promise.all([start(), start(), start()])
        for (const id of meanwhile) expect(await sightingOf(id)).toEqual({ kind: 'starting' })
        expect(output.filter(({ runnerId }) => runnerId === meanwhile[0]).at(-1)?.text).toMatch(
          /container engine is not there/,
        )
        for (const id of before) expect(await sightingOf(id)).toBeDefined() // never lost sight of

        await engine.begin()
        for (const id of before) await sighted(id, 'exited')
        for (const id of meanwhile) {
          const { address } = await sighted(id, 'accepting')
          expect((await state(address)).env['CARRICK_RUNNER_ID']).toBe(id)
        }
        for (const id of before) await backend.forget(id)
        expect([...(await backend.list(never)).keys()].toSorted()).toEqual(meanwhile.toSorted())
      },
    )

    test('one whose start waits for it can be ended without it', async () => {
      await engine.stop()
      const id = await start()
      await backend.kill(id, never)
      expect(await sightingOf(id)).toEqual({ kind: 'exited', exit: { code: null, signal: 'SIGKILL' } })
      await engine.begin()
    })

    test('starts that are under way while it stops and comes back end in runners that serve', async () => {
      const ids: RunnerId[] = []
      const starting = (async () => {
        for (let round = 0; round < 8; round += 1) ids.push(await start())
      })()
      await vi.waitFor(() => expect(ids.length).toBeGreaterThan(2), patience)
      await engine.stop('SIGKILL')
      await starting
      await engine.begin()
      await vi.waitFor(async () => {
        const kinds = await Promise.all(ids.map(async (id) => (await sightingOf(id))?.kind))
        expect(kinds.filter((kind) => kind !== 'accepting' && kind !== 'exited')).toEqual([])
        expect(kinds.at(-1)).toBe('accepting')
      }, patience)
    })

    test('what a former server left in it is found by the next, and what had ended is removed', async () => {
      const [lives, ended] = await Promise.all([start(), start()])
      await Promise.all([lives, ended].map((id) => sighted(id, 'accepting')))
      const { docker } = await engine.open()
      const other = await docker.createContainer({
        Image: image,
        Cmd: [nodeInside],
        Labels: { 'carrick.installation': 'another', 'carrick.runner': 'x' },
      })
      await docker.getContainer(`carrick-${ended}`).kill()
      await sighted(ended, 'exited')
      const next = await open()
      expect([...(await next.list(never))]).toEqual([[lives, { kind: 'starting' }]])
      const left = await docker.listContainers({ all: true })
      expect(left.map(({ Id }) => Id)).toContain(other.id)
      expect(left.flatMap(({ Names }) => Names)).not.toContain(`/carrick-${ended}`)
      await next.close()
      await other.remove()
    })
  },
)
