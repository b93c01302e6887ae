import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { lineCutter } from './lines.ts'

export interface ProgramOptions {
  readonly variables: Readonly<Record<string, string>>
  readonly folder: string
  /** What it reads from its standard input. Without it that is empty. */
  readonly input?: string
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

/**
 * Runs a program to its end and answers whether it succeeded. Everything it says comes line by line. When the signal
 * is aborted, it ends with all that it started, and the reason is thrown.
 */
export async function runProgram(program: string, args: readonly string[], options: ProgramOptions): Promise<boolean> {
  const { variables, folder, input, onLine, signal } = options
  signal.throwIfAborted()
  const child = spawn(program, args, { cwd: folder, env: variables, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.on('error', () => {}) // it ended without reading: its exit code says why
  child.stdin.end(input)
  const kill = () => killGroup(child.pid)
  signal.addEventListener('abort', kill)
  try {
    const outputs = [child.stdout, child.stderr].map((output) => {
      const cutter = lineCutter(onLine)
      output.setEncoding('utf8').on('data', (text: string) => cutter.take(text))
      return cutter
    })
    await once(child, 'exit')
    kill() // what it left running would hold the pipes open
    await closed(child.stdout, child.stderr)
    for (const output of outputs) output.end()
  } finally {
    signal.removeEventListener('abort', kill)
  }
  signal.throwIfAborted()
  return child.exitCode === 0
}

/** The group has the pid of its first process. It may be gone already. */
function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** What escaped from the group may still hold a pipe: then the output ends here all the same. */
async function closed(...outputs: readonly Readable[]): Promise<void> {
  const ended = outputs.map(async (output) => output.closed || (await once(output, 'close')))
  const late = setTimeout(() => outputs.forEach((output) => output.destroy()), 1_000)
  await Promise.all(ended)
  clearTimeout(late)
}

const execute = promisify(execFile)
const answerMs = 20_000

/** What a program prints. `undefined` when it is not there, fails, or takes too long. */
export async function askProgram(
  program: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  try {
    const { stdout } = await execute(program, [...args], { env: variables, timeout: answerMs, killSignal: 'SIGKILL' })
    return stdout
  } catch {
    return undefined
  }
}
