import { EventList } from '@carrick/protocol/rest'
import { setTimeout as rest } from 'node:timers/promises'
import { ask } from './ask.ts'
import { connectTo, type Connection } from './connection.ts'
import { print } from './output.ts'
import { table } from './table.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  json?: boolean
  limit: string
  since?: string
  action?: string
  subject?: string
  follow?: boolean
}

type Event = EventList['events'][number]

const followEveryMs = 1_000

/** `carrick events`: the newest changes of the account, the last one at the bottom; `--follow` goes on until Ctrl-C. */
export async function events(flags: Flags): Promise<void> {
  const connection = await connectTo(flags)
  const found = await changes(connection, flags)
  if (flags.follow !== true) return print({ text: shown(found) || 'No such changes', json: { events: found } }, flags)
  const said = (event: Event) => console.log(flags.json === true ? JSON.stringify(event) : shown([event]))
  found.forEach(said)
  await follow(connection, flags, { seen: found, said })
}

/** A change that has only begun is told when it has ended, so that each is told once. */
async function follow(
  connection: Connection,
  flags: Flags,
  { seen, said }: { readonly seen: readonly Event[]; readonly said: (event: Event) => void },
): Promise<never> {
  let told: ReadonlySet<string> = new Set(seen.map(({ id }) => id))
  for (let since = seen.at(-1)?.at ?? new Date().toISOString(); ;) {
    await rest(followEveryMs)
    const recent = await changes(connection, { ...flags, since, limit: '1000' })
    const ended = recent.filter(({ outcome }) => outcome !== 'begun')
    for (const event of ended) if (!told.has(event.id)) said(event)
    told = new Set([...(recent.length === 0 ? told : []), ...ended.map(({ id }) => id)])
    // From the first that has not ended; else from the last, whose moment others may share.
    since = (recent.find(({ outcome }) => outcome === 'begun') ?? recent.at(-1))?.at ?? since
  }
}

/** Oldest first, as one reads them. */
async function changes(connection: Connection, { limit, since, action, subject }: Flags): Promise<readonly Event[]> {
  const query = new URLSearchParams({
    limit,
    ...(since !== undefined && { since }),
    ...(action !== undefined && { action }),
    ...(subject !== undefined && { subject }),
  })
  return EventList.parse(await ask(connection, `/v1/events?${query.toString()}`)).events.toReversed()
}

function shown(found: readonly Event[]): string {
  return table(
    found.map(({ at, action, subject, outcome, key_id, detail }) => [
      at,
      action,
      subject,
      outcome,
      key_id,
      'why' in detail ? (String(detail['why']).split('\n')[0] ?? '') : '',
    ]),
  )
}
