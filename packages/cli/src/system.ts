import { PruneAnswer } from '@carrick/protocol/rest'
import { size } from './archive.ts'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import { table } from './table.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  readonly dryRun?: boolean
  readonly all?: boolean
  readonly json?: boolean
}

/** To look at all that is stored takes a while. */
const patienceMs = 30 * 60_000

/** `carrick system prune`: what nobody needs goes, or is told of. */
export async function prune(flags: Flags): Promise<void> {
  const body = { dry_run: flags.dryRun === true, all: flags.all === true }
  const said = await ask(await connectTo(flags), '/v1/system/prune', body, 'POST', patienceMs)
  const answer = PruneAnswer.parse(said)
  print({ text: listing(answer), json: answer }, flags)
}

function listing({ dry_run, pruned, bytes }: PruneAnswer): string {
  if (pruned.length === 0) return dry_run ? 'Nothing would go' : 'Nothing went: all that is there is needed'
  const rows = pruned.map(({ kind, name, count, bytes: each }) => [
    count === 1 ? kind : `${count} ${kind}s`,
    each === null ? '-' : size(each),
    name,
  ])
  const sum = `${dry_run ? 'Would go' : 'Gone'}: up to ${size(bytes)}, less what is shared with something that stays`
  return `${table(rows)}\n\n${sum}`
}
