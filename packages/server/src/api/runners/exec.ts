import { z } from 'zod'
import type { ExecSession } from '../../backends/backend.ts'
import { operation } from '../operation.ts'
import { requireLive } from './runners.ts'

/** Characters of a command and its arguments: what the kernel takes is not much more. */
const longestCommand = 100_000
/** As much of it as the record of changes keeps. */
const longestRecorded = 1_000

const side = z.number().int().min(1).max(10_000)

const Exec = z.object({
  id: z.string().min(1, 'name the runner in the first message, as runner_id'),
  /** Program and arguments; none: a shell. */
  command: z
    .array(z.string())
    .refine((words) => words.join(' ').length <= longestCommand, `is longer than ${longestCommand} characters`),
  terminal: z.object({ rows: side, columns: side }).optional(),
})

/** Starts a command beside a runner, or a shell. Whoever called lets go of the session in the end. */
export const execInRunner = operation(
  { permission: 'runners:exec', input: Exec },
  async (deps, caller, { id, command, terminal }): Promise<ExecSession> => {
    await requireLive(deps, caller, id)
    return deps.runners.execIn(id, { command, ...(terminal && { terminal }) })
  },
  {
    action: 'exec_in_runner',
    about: ({ id, command }) => ({ subject: id, command: command.join(' ').slice(0, longestRecorded) || 'a shell' }),
  },
)
