import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { connectTo } from './connection.ts'
import { variablesOf } from './env.ts'
import { clientEnvironment } from './client-environment.ts'
import type { Where } from './where.ts'

/** Runs the stock `fal` with this server's variables. Its exit code is ours. */
export async function fal(args: readonly string[], where: Where): Promise<void> {
  const connection = await connectTo(where)
  const folder = await clientEnvironment((line) => console.error(line))
  const child = spawn(`${folder}/bin/fal`, args, {
    stdio: 'inherit',
    env: { ...process.env, ...(await variablesOf(connection)) },
  })
  // Ctrl-C reaches the child from the terminal; it decides how to end.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  process.exitCode = code ?? 128 + (signal === null ? 1 : constants.signals[signal])
}
