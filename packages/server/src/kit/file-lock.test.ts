import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { takeFileLock, tryFileLock } from './file-lock.ts'

let folder = ''
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'carrick-lock-'))))
afterEach(() => rm(folder, { recursive: true }))

const { signal } = new AbortController()

/** Another process that takes the lock, says so, and holds it until it is killed. */
async function holder(file: string) {
  const code = `import { tryFileLock } from ${JSON.stringify(new URL('./file-lock.ts', import.meta.url).href)}
    globalThis.lock = tryFileLock(process.argv[1]); console.log(globalThis.lock ? 'held' : 'refused')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = await once(child.stdout.setEncoding('utf8'), 'data')
  return { said: String(said).trim(), end: async () => (child.kill('SIGKILL'), await once(child, 'exit')) }
}

test('one process at a time has it, and killing that one gives it back', async () => {
  const file = join(folder, 'lock')
  const other = await holder(file)
  expect(other.said).toBe('held')
  expect(tryFileLock(file)).toBeUndefined()
  await other.end()
  using lock = tryFileLock(file)
  expect(lock).toBeDefined()
})

test('who comes second is told so once, and has it when the first is done', async () => {
  const file = join(folder, 'lock')
  const first = tryFileLock(file)
  let waits = 0
  const taken = takeFileLock(file, { onWait: () => ((waits += 1), first?.[Symbol.dispose]()), signal })
  using second = await taken
  expect(second).toBeDefined()
  expect(waits).toBe(1)
})

test('nobody has to wait for ever', async () => {
  const file = join(folder, 'lock')
  using lock = tryFileLock(file)
  const leaving = new AbortController()
  const waiting = takeFileLock(file, { onWait: () => leaving.abort(), signal: leaving.signal })
  await expect(waiting).rejects.toThrow('aborted')
  expect(lock).toBeDefined()
})

test('a file that cannot be used is no lock that somebody holds', () => {
  expect(() => tryFileLock(join(folder, 'nowhere', 'lock'))).toThrow('unable to open')
})
