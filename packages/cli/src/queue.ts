import { PlatformQueueSettings, type QueueRequest } from '@carrick/protocol/platform'
import { appAddress } from './app-address.ts'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  json?: boolean
}

/** What `carrick queue set` can be told. Each is a part of what is sent. */
interface Settings extends Flags {
  /** In days. */
  retention?: number | 'default'
  fairShare?: boolean
  /** By key id or alias; null takes a weight away. */
  weight?: Readonly<Record<string, number | null>>
}

/** `carrick queue show APP`: what is set of its queue, and how many requests wait. */
export async function showQueue(app: string, flags: Flags): Promise<void> {
  await told(app, flags)
}

/** `carrick queue set APP`: changes what was named, and shows the queue. */
export async function setQueue(app: string, flags: Settings): Promise<void> {
  const { retention, fairShare, weight } = flags
  const changes: QueueRequest = {
    ...(retention !== undefined && { retention_days: retention === 'default' ? null : retention }),
    ...(fairShare !== undefined && { fair_share: fairShare }),
    ...(weight !== undefined && { weights: weight }),
  }
  if (Object.keys(changes).length === 0) throw new Error('say what to change: `carrick queue set --help` shows it all')
  await told(app, flags, changes)
}

/** `carrick queue pause APP` and `carrick queue resume APP`. */
export async function setPaused(app: string, paused: boolean, flags: Flags): Promise<void> {
  await told(app, flags, { paused })
}

async function told(app: string, flags: Flags, changes?: QueueRequest): Promise<void> {
  const connection = await connectTo(flags)
  const address = appAddress(app, connection)
  const answer = await ask(connection, `/v1/serverless/apps/${address}/queue/settings`, changes, 'PATCH')
  const queue = PlatformQueueSettings.parse(answer)
  print({ text: sentencesOf(app, queue), json: { app: address, ...queue } }, flags)
}

function sentencesOf(app: string, settings: PlatformQueueSettings): string {
  const { paused, queue_size, retention_days } = settings
  return [
    paused
      ? `The queue of ${app} is paused: ${queue_size} waiting, and nothing starts until \`carrick queue resume ${app}\``
      : `The queue of ${app} is running: ${queue_size} waiting`,
    orderOf(settings),
    `Requests are kept ${keptFor(retention_days)} once they have ended`,
  ].join('\n')
}

function orderOf({ fair_share, weights }: PlatformQueueSettings): string {
  if (!fair_share) return 'Requests of one priority are served in the order in which they came'
  const named = Object.entries(weights).map(([key, weight]) => `${key} ${weight}`)
  const others = named.length === 0 ? 'all of the same weight' : `by weight: ${named.join(', ')}, others 1`
  return `Within a priority callers take turns, ${others}`
}

function keptFor(days: number | null): string {
  if (days === null) return 'as long as the server is set to'
  if (days === 0) return 'for ever'
  const [unit, perDay] = units.find(([, each]) => days * each >= 1) ?? ['second', 86_400]
  const amount = Number((days * perDay).toFixed(2))
  return `for ${amount} ${unit}${amount === 1 ? '' : 's'}`
}

const units = [
  ['day', 1],
  ['hour', 24],
  ['minute', 1_440],
] as const
