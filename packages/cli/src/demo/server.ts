import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const carrick = fileURLToPath(new URL('../../bin/carrick.js', import.meta.url))

/** A server of its own process, on a free port. */
export interface DemoServer extends AsyncDisposable {
  readonly pid: number
}

/** Starts `carrick up` and resolves when it says that it is ready. Rejects with what it said when it ends before. */
export async function startServer(folder: string, owner: string): Promise<DemoServer> {
  const args = [carrick, 'up', '--port', '0', '--data', folder, '--owner', owner]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  await ready(child)
  return {
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit')
    },
  }
}

async function ready(child: ChildProcess): Promise<void> {
  for await (const line of createInterface({ input: child.stdout! })) {
    console.log(line)
    if (line.startsWith('Carrick is ready')) return
  }
  throw new Error('the server ended before it was ready; its last words are above')
}
