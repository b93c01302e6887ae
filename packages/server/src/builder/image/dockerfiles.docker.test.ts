import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { isPodman } from '../../backends/docker/engine/podman.ts'
import type { AppFile } from '../../domain/revision.ts'
import type { ImageBuilder } from './image-builder.ts'
import {
  baseImage,
  container,
  dockerfile,
  isRunning,
  openTestBuilders,
  runIn,
  start,
  type TestBuilders,
} from '../../testing/image-builders.ts'

let folder = ''
let there: TestBuilders
let builder: ImageBuilder

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-context-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(async () => {
  there = await openTestBuilders()
  builder = await there.open()
})
afterEach(async () => {
  await there[Symbol.asyncDispose]()
})

const patience = { timeout: 60_000, interval: 50 }

/** A file of a context; tests have blobs at their paths. */
async function file(path: string, content: string, mode = 0o100644): Promise<AppFile> {
  const blob = join(folder, path.replaceAll('/', '_'))
  await writeFile(blob, content)
  return { path, mode, blob }
}

async function imageOf(id: string): Promise<string> {
  const place = await builder.placeOf(id)
  return place.kind === 'image' ? place.reference : ''
}

/** All that anybody who has the image can read: its history and its configuration. */
async function historyOf(image: string): Promise<string> {
  const [history, inspected] = await Promise.all([
    there.engine.getImage(image).history(),
    there.engine.getImage(image).inspect(),
  ])
  return JSON.stringify([history, inspected])
}

describe('a Dockerfile', () => {
  test('is built with its arguments, its files and their modes, and secrets that nothing keeps', async () => {
    const text = `FROM ${baseImage}
ARG WHO
COPY . /srv/
RUN --mount=type=secret,id=token cat /run/secrets/token && wc -c < /run/secrets/token > /srv/length && echo "by $WHO" > /srv/who
CMD ["cat", "/srv/who"]
`
    const context = [await file('run.sh', '#!/bin/sh\n', 0o100755), await file('deep/er/data.txt', 'some data')]
    const source = dockerfile(text, { buildArgs: { WHO: 'ann' }, context, buildSecrets: ['token'] })
    const secret = 'a-build-secret'
    const { built, lines } = start(builder, container(source), { buildSecrets: { token: secret } })
    const image = await imageOf(await built)
    const told = await runIn(there.engine, image, [
      'sh',
      '-c',
      'cd /srv; cat who length deep/er/data.txt; test -x run.sh; echo $?',
    ])
    expect(told.split(/\r?\n/)).toEqual(['by ann', String(secret.length), 'some data0'])
    expect(lines.join('\n')).toMatch(/\[\d\/\d\] COPY \. \/srv\//)
    expect(lines).toContain('****')
    expect(lines.join('\n') + (await historyOf(image)) + (await built)).not.toContain(secret)
    // Another value is another image: what was made of it may differ.
    const other = await start(builder, container(source), { buildSecrets: { token: 'another' } }).built
    expect(other).not.toBe(await built)
  })

  test('is built again when a file of it changed, and of another account in any case', async () => {
    const text = `FROM ${baseImage}\nCOPY data.txt /data.txt\n`
    const one = await start(builder, container(dockerfile(text, { context: [await file('data.txt', 'one')] }))).built
    const two = { ...(await file('data.txt', 'two')), blob: join(folder, 'two') }
    await writeFile(two.blob, 'two')
    const other = await start(builder, container(dockerfile(text, { context: [two] }))).built
    expect(await runIn(there.engine, await imageOf(other), ['cat', '/data.txt'])).toBe('two')
    const ofBob = container(dockerfile(text, { context: [two] }), { accountId: 'bob' })
    expect(new Set([one, other, await start(builder, ofBob).built]).size).toBe(3)
  })

  test.each([
    ['an instruction that is none', `FROM ${baseImage}\nRUNN true\n`, /line 2.*RUNN/s],
    [
      'a command that fails',
      `FROM ${baseImage}\n\nRUN echo some words; \\\n  exit 3\n`,
      /Dockerfile line 3: .*exit code 3\nsome words$/s,
    ],
    ['a file that is not there', `FROM ${baseImage}\nCOPY nothing /x\n`, /line 2.*nothing/s],
    ['a base that is nowhere', 'FROM 127.0.0.1:1/no/image:v1\n', /127\.0\.0\.1:1.*refused/s],
  ])('with %s fails with its line and the words of what failed, and leaves nothing', async (_, text, words) => {
    const { built } = start(builder, container(dockerfile(text)))
    await expect(built).rejects.toMatchObject({ code: 'build_failed', message: expect.stringMatching(words) })
    expect(await there.names()).toEqual([])
  })

  test('mounts caches that are its account’s own', async () => {
    const text = (round: number) =>
      `FROM ${baseImage}\nRUN --mount=type=cache,target=/c echo ${round} ${there.installation}; ls /c | tee /seen; touch /c/mark\n`
    const built = async (round: number, accountId: string) =>
      await start(builder, container(dockerfile(text(round)), { accountId: accountId + there.installation })).built
    await built(1, 'ann')
    const seen = async (id: string) => await runIn(there.engine, await imageOf(id), ['cat', '/seen'])
    expect(await seen(await built(2, 'ann'))).toBe('mark')
    expect(await seen(await built(3, 'bob'))).toBe('')
  })

  test('goes on: requirements are put on top of what it makes, for a Python of its own', async () => {
    const text = `FROM ${baseImage}\nRUN python3 -m venv --without-pip /own && echo 'hello = 1' > /own/lib/python3.11/site-packages/of_image.py\nENV PATH=/own/bin:$PATH\nUSER 1000\n`
    const definition = container(dockerfile(text), { layers: [['six']], pythonVersion: '3.11' })
    const image = await imageOf(await start(builder, definition).built)
    const code = 'import six, of_image; print(of_image.hello)'
    expect(await runIn(there.engine, image, ['/opt/carrick/venv/bin/python', '-c', code])).toBe('1')
    expect((await there.engine.getImage(image).inspect()).Config.User).toBe('1000')
    expect(await there.names()).toHaveLength(1) // not the one in between
  })
})

describe('a build that nobody waits for any longer', () => {
  /** Different for each test, so that nothing is found in a cache, and on every process's list. */
  const forever = () => `sleep 86${Math.floor(Math.random() * 1e8)}`

  test('ends in the engine with all that it runs', async () => {
    const words = forever()
    const { built, leave } = start(builder, container(dockerfile(`FROM ${baseImage}\nRUN ${words}\n`)))
    await vi.waitFor(() => expect(isRunning(words)).toBe(true), patience)
    leave()
    await expect(built).rejects.toThrow('the caller left')
    await vi.waitFor(() => expect(isRunning(words)).toBe(false), patience)
    expect(await there.names()).toEqual([])
  })

  test('ends at whichever step it is, and leaves nothing that counts', async () => {
    const text = `FROM ${baseImage}\nRUN echo one\nRUN echo two\n`
    const definition = container(dockerfile(text), { layers: [['six']] })
    const built = await leaveAtLine(1)
    for (let line = 2; (await leaveAtLine(line)) === 'left'; line += 1) expect(line).toBeLessThan(50)
    expect(built).toBe('left')
    expect(await there.names()).toHaveLength(1)

    /** Leaves when so many lines were said; answers how it ended. */
    async function leaveAtLine(line: number): Promise<'left' | 'built'> {
      let said = 0
      const leaving = new AbortController()
      const onLine = () => (said += 1) === line && leaving.abort(new Error('left'))
      try {
        const id = await builder.build(definition, { onLine, signal: leaving.signal })
        expect(await builder.has(id)).toBe(true)
        return 'built'
      } catch (error) {
        expect(error).toMatchObject({ message: 'left' })
        await builder.close() // it waits for what is being given up
        expect(await there.names()).toEqual([])
        return 'left'
      }
    }
  })

  test('ends when the server is killed, and the next one finds nothing of it', async () => {
    const words = forever()
    const script = `
      const [, installation, seconds] = process.argv
      import('./packages/server/src/testing/image-builders.ts').then(async ({ openTestBuilders, container, dockerfile }) => {
        const builder = await (await openTestBuilders({ installation })).open()
        const options = { onLine: () => {}, signal: AbortSignal.timeout(1e6) }
        await builder.build(container({ from: 'reference', reference: '${baseImage}' }), options)
        await builder.build(container(dockerfile('FROM ${baseImage}\\nRUN sleep ' + seconds)), options)
      })`
    const root = join(import.meta.dirname, '../../../../..')
    const program = ['--conditions=carrick-source', '--eval', script]
    const args = [...program, there.installation, words.replace('sleep ', '')]
    const server = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    await vi.waitFor(() => expect(isRunning(words)).toBe(true), { ...patience, timeout: 200_000 })
    server.kill('SIGKILL')
    await once(server, 'exit')
    // Podman goes on with a command whose caller has gone; the next server ends it.
    if (!(await isPodman(there.engine))) await vi.waitFor(() => expect(isRunning(words)).toBe(false), patience)
    // What it had built before has a name; its store is gone with it, so that it counts no more.
    expect(await there.names()).toHaveLength(1)
    await there.open()
    expect(await there.names()).toEqual([])
    await vi.waitFor(() => expect(isRunning(words)).toBe(false), patience)
  })
})
