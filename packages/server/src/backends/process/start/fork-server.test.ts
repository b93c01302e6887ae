import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { isRunning } from '../../conformance.ts'
import { ForkServer } from './fork-server.ts'
import { findPython } from './launcher.ts'
import { dismiss } from './spare.ts'

const python = await findPython('/usr/local/bin:/usr/bin:/bin')
const program = fileURLToPath(new URL('../../../../../../runners/python/carrick_launch/__main__.py', import.meta.url))
const none = python === undefined ? ' (not here: there is no python3)' : ''

function open(): { readonly forks: ForkServer; readonly pids: number[] } {
  const pids: number[] = []
  const forks = new ForkServer(() => {
    const args = ['-I', '-S', program]
    const child = spawn(python ?? '', args, { env: {}, detached: true, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] })
    pids.push(child.pid ?? 0)
    return child
  }, 'plain')
  return { forks, pids }
}

/** In no control group. */
const told = (...args: string[]) => `0\n${Buffer.byteLength(args.join('\0'))}\n${args.join('\0')}`

test.skipIf(none)(`what is begun becomes what it is told, and its end is told${none}`, async () => {
  const { forks } = open()
  const [first, second] = await Promise.all([forks.begin(), forks.begin()])
  second.told.end(`${told('--cwd', '/', '--', 'sh', '-c', 'echo $NAME; pwd; exit 7')}NAME=second\0PATH=/usr/bin:/bin\0`)
  expect(await text(second.stdout)).toBe('second\n/\n')
  expect(await second.exited).toEqual({ code: 7, signal: null })
  first.told.end(`${told('--cwd', '/', '--', 'sh', '-c', 'kill -SEGV $$')}PATH=/usr/bin:/bin\0`)
  expect(await first.exited).toEqual({ code: null, signal: 'SIGSEGV' })
  forks.close()
})

test.skipIf(none)(`one that is told nothing, or only half, ends without having run anything${none}`, async () => {
  const { forks } = open()
  const [untold, half] = await Promise.all([forks.begin(), forks.begin()])
  dismiss(untold)
  expect(await untold.exited).toEqual({ code: 0, signal: null })
  half.told.end(told('--cwd', '/', '--', 'sh', '-c', 'echo ran').slice(0, -1))
  expect(await text(half.stdout)).toBe('')
  expect(await half.exited).toEqual({ code: 0, signal: null })
  forks.close()
})

test.skipIf(none)(`with the server goes what forks, and what waits${none}`, async () => {
  const { forks, pids } = open()
  const begun = await forks.begin()
  dismiss(begun) // a server that ends closes all of its pipes
  forks.close()
  for (const pid of [begun.pid, ...pids]) await expect.poll(() => isRunning(pid), { timeout: 20_000 }).toBe(false)
  await expect(forks.begin()).rejects.toThrow('the backend is closed')
})

test.skipIf(none)(
  `a helper whose parent was gone before it could tie itself to that ends all the same${none}`,
  async () => {
    const helper = spawn(python ?? '', ['-I', '-c', orphan, dirname(dirname(program))], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    expect(await Promise.all([text(helper.stdout), text(helper.stderr)])).toEqual(['an orphan\n', ''])
  },
)

/** Its child speaks on for as long as it lives. */
const orphan = `
import os, sys, time
sys.path.insert(0, sys.argv[1])
from carrick_launch.kernel import end_with_parent
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent: time.sleep(0.01)
    print('an orphan', flush=True)
    end_with_parent(9, parent)
    print('lives on')
os._exit(0)`

test(`without an interpreter the sentence says so`, async () => {
  const forks = new ForkServer(
    () => spawn(join('/', 'nowhere', 'python3'), [], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] }),
    'plain',
  )
  await expect(forks.begin()).rejects.toThrow('the program that begins runners')
  forks.close()
})
