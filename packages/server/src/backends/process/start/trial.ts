import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

interface Trial {
  readonly python: string
  /** The folder `carrick_launch`. */
  readonly program: string
  readonly options: readonly string[]
  readonly folder: string
  /** The file that is not empty any more once the network works. */
  readonly ready: string | undefined
}

const patienceMs = 10_000

/** Starts a program that only waits, as runners are started. Answers why that cannot be, or undefined when it can. */
export async function tryLaunch({ python, program, options, folder, ready }: Trial): Promise<string | undefined> {
  const args = [
    '-I',
    '-S',
    join(program, '__main__.py'),
    ...options,
    '--',
    'sh',
    '-c',
    ready === undefined ? 'exit 0' : 'exec sleep 60',
  ]
  const child = spawn(python, args, {
    cwd: join(folder, 'work'),
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    timeout: patienceMs,
    killSignal: 'SIGKILL',
  })
  const said: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk))
  const ended = once(child, 'exit').catch((error: Error) => [error.message])
  const environment = child.stdio[3]
  if (environment instanceof Writable) environment.on('error', () => {}).end('PATH=/usr/local/bin:/usr/bin:/bin\0')
  if (ready !== undefined) {
    const works = await filled(ready, child)
    child.kill('SIGKILL')
    await ended
    return works ? undefined : `pasta could not join them to the machine's${tail(said)}`
  }
  const [code]: unknown[] = await ended
  return code === 0 ? undefined : `this machine does not let them have namespaces${tail(said)}`
}

async function filled(file: string, child: { readonly exitCode: number | null }): Promise<boolean> {
  for (let waited = 0; waited < patienceMs && child.exitCode === null; waited += 5) {
    if ((await readFile(file, 'utf8').catch(() => '')) !== '') return true
    await pause(5)
  }
  return false
}

function tail(said: readonly Buffer[]): string {
  const line = Buffer.concat(said).toString().trim().split('\n').at(-1)
  return line ? ` (${line})` : ''
}
