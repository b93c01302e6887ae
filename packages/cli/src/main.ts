import { CommanderError } from 'commander'
import { program } from './program.ts'
import { sentenceOf } from './errno.ts'
import { isInterruption } from './output.ts'

/** Exit codes (docs/reference/cli.md): 0 done, 1 it failed, 2 wrong usage, 130 interrupted. */
try {
  await program().parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    process.exitCode = isInterruption(error) ? 130 : 1
    console.error(`carrick: ${sentenceOf(error)}`)
    if (process.env['CARRICK_DEBUG'] !== undefined) console.error(error)
  }
}
