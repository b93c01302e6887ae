import type { ServerResponse } from 'node:http'
import type { Caller } from '../domain/permissions.ts'
import { begin, finish, json } from './answers.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import { followLines } from './log-entries.ts'
import { questioner, questionerByToken } from './lookup.ts'
import { wantsLogs } from './query.ts'
import type { RequestRoute } from './route.ts'
import type { StatusWatch, Watcher } from './status-watch.ts'
import { lookAt, placeOf, type Look } from './status.ts'

/** A stream that is still open then ends, so that none is open for ever. */
const longestMs = 24 * 3_600_000

/** A request that runs may end at once: then its stream has one event to send, not two. */
const soonMs = 20

/** What status streams need besides. */
export interface StreamDeps extends GatewayDeps {
  readonly statusWatch: StatusWatch
}

/**
 * Tells every change of a request as an event, with the log lines that are new, until it is completed. Where the server
 * stops before that it breaks off: an end would be taken for the request's.
 */
export async function streamStatus(deps: StreamDeps, exchange: Exchange, route: RequestRoute): Promise<void> {
  const { res } = exchange
  const caller =
    route.token === undefined ? questioner(deps, exchange, route) : await questionerByToken(deps, exchange, route)
  const withLogs = wantsLogs(route.query)
  const place = { now: () => placeOf(deps, route), told: undefined as number | undefined }
  using watcher = deps.statusWatch.open({
    requestId: route.requestId,
    wantsLogs: withLogs,
    moved: () => place.now() !== place.told,
    // A reader that is behind has something to read.
    beat: () => void (res.headersSent && !res.writableNeedDrain && res.write(': still here\n\n')),
  })
  const look = () => lookAt(deps, exchange, route, caller)
  let first = await look()
  res.on('close', () => watcher.wake())
  if (first?.status.status === 'IN_PROGRESS' && !withLogs) {
    await watcher.nextWithin(soonMs)
    first = await look()
  }
  if (first === undefined) return json(res, 404, { status: 'NOT_FOUND' })
  if (exchange.req.method === 'HEAD') return void begin(res, 200, streamHeaders).end()
  if (first.status.status === 'COMPLETED' && !withLogs) return inOnePiece(res, eventOf(first.status))
  begin(res, 200, streamHeaders)
  // Without lines to look for they leave with the first event, in one piece.
  if (withLogs) res.flushHeaders()
  const looked = () => (place.told = place.now())
  if (!(await toldAll(deps, exchange, route, { first, caller, watcher, withLogs, looked }))) res.destroy()
}

const streamHeaders = [
  ['content-type', 'text/event-stream; charset=utf-8'],
  ['cache-control', 'no-cache, no-transform'],
  ['x-accel-buffering', 'no'],
] as const

const eventOf = (status: object): string => `data: ${JSON.stringify(status)}\n\n`

/** All that is to be told: a text whose length is known goes out in one piece with the headers. */
function inOnePiece(res: ServerResponse, event: string): void {
  begin(res, 200, [...streamHeaders, ['content-length', String(Buffer.byteLength(event))]])
  finish(res, event)
}

interface Telling {
  readonly first: Look
  readonly caller: Caller | undefined
  readonly watcher: Watcher
  readonly withLogs: boolean
  readonly looked: () => void
}

/** Tells and ends; false where that must not be taken for the end of what was to be told. */
async function toldAll(
  deps: StreamDeps,
  exchange: Exchange,
  route: RequestRoute,
  { first, caller, watcher, withLogs, looked }: Telling,
): Promise<boolean> {
  const { res } = exchange
  const newLines = withLogs ? followLines(deps.logs) : undefined
  const until = performance.now() + longestMs
  let told = ''

  for (let look: Look | undefined = first; look; look = await lookAt(deps, exchange, route, caller)) {
    looked()
    const logs = newLines && look.seen ? await newLines(look.seen) : null
    const state = JSON.stringify(look.status)
    const isOver = look.status.status === 'COMPLETED' || performance.now() > until
    const event = state !== told || (logs?.length ?? 0) > 0 ? eventOf({ ...look.status, logs }) : ''
    if (isOver) {
      finish(res, event)
      return true
    }
    if (event !== '') {
      await send(res, event)
      watcher.told()
      told = state
    }
    if (res.destroyed || (deps.statusWatch.isDraining && look.status.status === 'IN_QUEUE')) return false
    await watcher.next()
    if (res.destroyed) return false
  }
  finish(res, '')
  return true
}

/** Waits for a reader that is slower than we are. */
async function send(res: ServerResponse, text: string): Promise<void> {
  if (res.write(text) || res.destroyed) return
  await new Promise<void>((resolve) => void res.once('drain', resolve).once('close', resolve))
}
