import { executionsAllowed, type Answer, type ClientEvent, type Evidence, type StoredRow } from './history.ts'

/** Something that must never be. `invariant` is its number in design.md §4 and ARCHITECTURE.md's words for it. */
export interface Violation {
  readonly invariant: Invariant
  readonly request?: string
  readonly what: string
}

export const invariants = {
  1: 'every acknowledged request reaches exactly one terminal outcome',
  2: 'one result per request, and once visible it never changes',
  3: 'no more executions than 1 + the allowed retries; a start is durable before its first byte is sent',
  4: 'no more requests run at a time than max_concurrency × max_multiplexing',
  5: 'first in, first out within a priority and caller, for requests that were never retried',
  6: 'a webhook carries the stored result, at least once',
  7: 'no runner outlives its record, and no record its runner',
} as const

export type Invariant = keyof typeof invariants

/** Reads all that clients, app and store say, and tells where they contradict a promise. Pure; no violation, no proof. */
export function check(evidence: Evidence): readonly Violation[] {
  return [
    ...outcomes(evidence),
    ...results(evidence),
    ...executions(evidence),
    ...concurrency(evidence),
    ...order(evidence),
    ...webhooks(evidence),
    ...runners(evidence),
  ]
}

/** Invariant 1. */
function* outcomes({ clients, rows, ledger, answers, onFullDisk = false }: Evidence): Generator<Violation> {
  const byId = new Map(rows.map((row) => [row.id, row]))
  for (const event of clients) {
    if (event.kind === 'acknowledged' && !byId.has(event.request))
      yield { invariant: 1, request: event.request, what: 'it was acknowledged and the store does not know it' }
  }
  const cancelled = new Set(clients.flatMap((event) => (event.kind === 'cancelled' ? [event.request] : [])))
  const ended = new Set(ledger.map(({ request, attempt }) => `${request} ${attempt}`))
  for (const row of rows) {
    const what = wrongOutcome(row, answers.get(row.id), ended, cancelled, onFullDisk)
    if (what !== undefined) yield { invariant: 1, request: row.id, what }
  }
}

function wrongOutcome(
  row: StoredRow,
  answer: Answer | undefined,
  ran: ReadonlySet<string>,
  cancelled: ReadonlySet<string>,
  onFullDisk: boolean,
): string | undefined {
  const { state, status, attempt, retries } = row
  if (state !== 'completed') return `it is ${state} for ever`
  if (answer?.status !== status) return `its outcome is ${status} and its result is served as ${answer?.status}`
  if (status === 200) {
    if (!ran.has(`${row.id} ${attempt}`)) return `attempt ${attempt} succeeded and never ran`
    const said = attemptIn(answer.text)
    return said === attempt ? undefined : `its result is of attempt ${said}, and its last is ${attempt}`
  }
  if (status === 499) return cancelled.has(row.id) ? undefined : 'it ended as cancelled, and nobody cancelled it'
  if (status === 507 && onFullDisk) return undefined // its result was too large for the room that was left
  // A runner that goes in the middle of its answer: no client here allows extra attempts for that but those who allow all.
  if (status === 502 && retries !== 'all') return undefined
  if (status !== 503 && status !== 502) return `it ended with ${status}`
  return attempt >= executionsAllowed[retries]
    ? undefined
    : `it failed after ${attempt} of ${executionsAllowed[retries]} attempts`
}

function attemptIn(text: string): number | undefined {
  try {
    return (JSON.parse(text) as { attempt?: number }).attempt
  } catch {
    return undefined
  }
}

/** Invariant 2. */
function* results({ clients, answers }: Evidence): Generator<Violation> {
  const completed = new Set<string>()
  for (const event of clients.toSorted((a, b) => a.at - b.at)) {
    if (event.kind === 'result') yield* changed(event.request, event.answer, answers.get(event.request))
    if (event.kind !== 'status') continue
    if (event.status === 'COMPLETED') completed.add(event.request)
    else if (completed.has(event.request))
      yield { invariant: 2, request: event.request, what: `it was completed, and then ${event.status}` }
  }
}

function* changed(request: string, seen: Answer, last: Answer | undefined): Generator<Violation> {
  if (last?.status === seen.status && last.text === seen.text) return
  const what = `its result was ${shown(seen)} and is now ${shown(last)}`
  yield { invariant: 2, request, what }
}

const shown = (answer: Answer | undefined) => (answer ? `${answer.status} ${answer.text.slice(0, 300)}` : 'missing')

/** Invariant 3. */
function* executions({ ledger, rows }: Evidence): Generator<Violation> {
  const byId = new Map(rows.map((row) => [row.id, row]))
  const began = Map.groupBy(
    ledger.filter(({ what }) => what === 'began'),
    ({ request }) => request,
  )
  for (const [request, lines] of began) {
    const row = byId.get(request)
    if (row === undefined) yield { invariant: 3, request, what: 'it ran and is not stored' }
    if (row && lines.length > executionsAllowed[row.retries])
      yield { invariant: 3, request, what: `it ran ${lines.length} times of ${executionsAllowed[row.retries]} allowed` }
    const twice = lines.find(({ attempt }, at) => lines.findIndex((line) => line.attempt === attempt) !== at)
    if (twice) yield { invariant: 3, request, what: `attempt ${twice.attempt} ran twice` }
    for (const { attempt, runner } of lines) {
      if (row?.attempts.some((stored) => stored.number === attempt && stored.runner === runner) ?? true) continue
      yield { invariant: 3, request, what: `attempt ${attempt} ran on ${runner} and its start there was not stored` }
    }
  }
}

/**
 * Invariant 4. Work without an end is over when its runner is last heard of. What was cancelled does not count: the app is a server of
 * its own, on which the platform hangs up, and its work goes on unnoticed for some milliseconds.
 */
function* concurrency({ ledger, rows, mostRunning }: Evidence): Generator<Violation> {
  const cancelled = new Set(rows.flatMap(({ id, status }) => (status === 499 ? [id] : [])))
  const lastHeard = new Map<string, number>()
  const ends = new Map<string, number>()
  for (const { what, request, attempt, runner, at } of ledger) {
    lastHeard.set(runner, Math.max(at, lastHeard.get(runner) ?? 0))
    if (what === 'ended') ends.set(`${request} ${attempt}`, at)
  }
  const steps = ledger
    .filter(({ what, request }) => what === 'began' && !cancelled.has(request))
    .flatMap(({ request, attempt, runner, at }) => [
      { at, by: 1, request },
      { at: ends.get(`${request} ${attempt}`) ?? lastHeard.get(runner) ?? at, by: -1, request },
    ])
    .toSorted((a, b) => a.at - b.at || a.by - b.by)
  let running = 0
  for (const { by, request } of steps) {
    running += by
    if (running > mostRunning && by > 0)
      yield { invariant: 4, request, what: `${running} ran at a time of ${mostRunning} allowed` }
  }
}

/** Invariant 5: who was acknowledged before another was sent comes first in line, and the line is served in its order. */
function* order({ clients, rows }: Evidence): Generator<Violation> {
  yield* places(clients, new Map(rows.map((row) => [row.id, row.seq])))
  const lines = Map.groupBy(
    rows.filter(({ attempts }) => attempts.length === 1),
    ({ caller, priority }) => `${caller} ${priority}`,
  )
  for (const line of lines.values()) {
    let latest = { id: '', startedAt: 0 }
    for (const { id, attempts } of line.toSorted((a, b) => a.seq - b.seq)) {
      const startedAt = attempts[0]?.startedAt ?? 0
      if (startedAt < latest.startedAt)
        yield { invariant: 5, request: latest.id, what: `${id} came after it and started before it` }
      else latest = { id, startedAt }
    }
  }
}

function* places(clients: readonly ClientEvent[], seqs: ReadonlyMap<string, number>): Generator<Violation> {
  const sent = new Map<string, number>()
  for (const event of clients) if (event.kind === 'sent') sent.set(`${event.client} ${event.number}`, event.at)
  const known = clients
    .flatMap((event) => (event.kind === 'acknowledged' ? [event] : []))
    .map(({ client, number, request, at }) => ({
      request,
      sentAt: sent.get(`${client} ${number}`) ?? 0,
      acknowledgedAt: at,
      seq: seqs.get(request) ?? Number.NaN,
    }))
  const bySend = known.toSorted((a, b) => a.sentAt - b.sentAt)
  const byAcknowledgement = known.toSorted((a, b) => a.acknowledgedAt - b.acknowledgedAt)
  let before = { request: '', seq: 0 }
  let next = 0
  for (const { request, sentAt, seq } of bySend) {
    for (; (byAcknowledgement[next]?.acknowledgedAt ?? Infinity) < sentAt; next += 1)
      if (byAcknowledgement[next]!.seq > before.seq) before = byAcknowledgement[next]!
    if (seq < before.seq)
      yield {
        invariant: 5,
        request,
        what: `${before.request} was acknowledged before it was sent, and stands behind it`,
      }
  }
}

/** Invariant 6. */
function* webhooks({ rows, deliveries, answers }: Evidence): Generator<Violation> {
  const byRequest = Map.groupBy(deliveries, ({ request }) => request)
  for (const { id, hasWebhook } of rows)
    if (hasWebhook && !byRequest.has(id)) yield { invariant: 6, request: id, what: 'its webhook never came' }
  for (const { request, text } of deliveries) {
    const what = wrongDelivery(text, answers.get(request))
    if (what !== undefined) yield { invariant: 6, request, what }
  }
}

/** A result that is JSON is sent as it stands. */
function wrongDelivery(text: string, answer: Answer | undefined): string | undefined {
  if (answer === undefined) return 'a webhook tells of a request that has no result'
  const { status } = JSON.parse(text) as { status?: string }
  if ((status === 'OK') !== (answer.status === 200)) return `its webhook says ${status} of a result of ${answer.status}`
  return text.includes(`"payload":${answer.text},`) ? undefined : `its webhook carries another result: ${text}`
}

/** Invariant 7. */
function* runners({ runners: { survivors, unrecorded, missing } }: Evidence): Generator<Violation> {
  for (const id of survivors)
    yield { invariant: 7, what: `runner ${id} of a former server was alive when the next one was ready` }
  for (const id of unrecorded) yield { invariant: 7, what: `runner ${id} has a process and no live record` }
  for (const id of missing) yield { invariant: 7, what: `runner ${id} has a live record and no process` }
}
