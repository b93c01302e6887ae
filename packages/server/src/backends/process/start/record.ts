import { renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { RunnerOutline } from '../../backend.ts'
import type { ProcIdentity } from '../proc.ts'

const fileName = 'runner.json'

const schema = z.object({
  id: z.string(),
  appId: z.string(),
  revisionId: z.string(),
  pid: z.int(),
  startTime: z.string(),
  bootId: z.string(),
  /** What its control groups are called, where that is not its own name. */
  group: z.string().optional(),
})

/**
 * Notes beside the working folder which process a runner is. Not synced: a record is for the next server process on a
 * machine that stayed up, and where it is missing the runner is found by its environment.
 */
export function writeRecord(folder: string, { id, appId, revisionId }: RunnerOutline, identity: Recorded): void {
  const draft = join(folder, `${fileName}.draft`)
  writeFileSync(draft, JSON.stringify({ id, appId, revisionId, ...identity }), { mode: 0o600 })
  renameSync(draft, join(folder, fileName))
}

/** The process that a runner is, and what its control groups are called. */
export interface Recorded extends ProcIdentity {
  readonly group?: string | undefined
}

/** What was noted; nothing when there is no record, or one that cannot be read. */
export async function readRecord(folder: string): Promise<Recorded | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(join(folder, fileName), 'utf8')))
  } catch {
    return undefined
  }
}
