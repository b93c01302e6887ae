import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const mostOutput = 64 * 1024 * 1024

/** What a program says on its standard output. Rejects with what it says on the other. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await execute(program, args, { maxBuffer: mostOutput })
  return stdout.trim()
}

/** Whether a program ends well. */
export const isThere = (program: string, args: readonly string[]): Promise<boolean> =>
  run(program, args).then(
    () => true,
    () => false,
  )
