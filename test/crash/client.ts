// A client process of the crash harness: submits, follows and sometimes cancels requests while the server comes and goes,
// and prints what it did and saw, a ClientEvent a line. Its one argument is a ClientOrder. Ends when its standard input does.
import { connect } from 'node:net'
import { setTimeout as rest } from 'node:timers/promises'
import { chanceOf, type Chance } from './chance.ts'
import type { Answer, ClientEvent, Retries } from './history.ts'

/** What a client process is told. */
export interface ClientOrder {
  readonly client: number
  readonly seed: string
  readonly base: string
  readonly key: string
  readonly ledger: string
  /** Where webhooks go. */
  readonly receiver: string
  readonly callers: number
  /** Every answer comes in pieces. */
  readonly streamed: boolean
}

const order = JSON.parse(process.argv[2] ?? '') as ClientOrder
const authorization = `Key ${order.key}`
const patienceMs = 2_000
let asked = true
process.stdin.resume().once('end', () => (asked = false))
let submits = 0

type Said = ClientEvent extends infer Each ? (Each extends ClientEvent ? Omit<Each, 'at' | 'client'> : never) : never

function say(event: Said): void {
  process.stdout.write(
    `${JSON.stringify({ at: Number(process.hrtime.bigint()) / 1e6, client: order.client, ...event })}\n`,
  )
}

/** Whether it is the request's own result: the outcomes here are 200, 499, and 502 and 503 by what became of runners. */
function isOfRequest({ status, text }: Answer): boolean {
  return status === 200 || status === 499 || ((status === 502 || status === 503) && text.includes('runner_'))
}

/** The answer, or undefined where there was none: the server is down. */
async function ask(path: string, init: RequestInit = {}): Promise<Answer | undefined> {
  try {
    const answer = await fetch(order.base + path, {
      ...init,
      headers: { authorization, ...(init.headers as Record<string, string>) },
      signal: AbortSignal.timeout(5_000),
    })
    return { status: answer.status, text: await answer.text() }
  } catch {
    await listening()
    return undefined
  }
}

let looking: Promise<void> | undefined

/** Until the server listens again. One looks for all callers: a fetch that finds nobody costs as much as one that is answered. */
function listening(): Promise<void> {
  return (looking ??= look().finally(() => (looking = undefined)))
}

async function look(): Promise<void> {
  do await rest(20)
  while (asked && !(await listens()))
}

function listens(): Promise<boolean> {
  const { hostname, port } = new URL(order.base)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket.setTimeout(1_000, () => (socket.destroy(), resolve(false)))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => (socket.destroy(), resolve(true)))
  })
}

const wishes: Readonly<Record<Retries, Record<string, string>>> = {
  none: { 'x-fal-no-retry': '1' },
  one: {
    'x-fal-retry-config': '{"connection_error":{"retries":1},"server_error":{"retries":0},"timeout":{"retries":0}}',
  },
  all: {},
}

async function submit(chance: Chance): Promise<string | undefined> {
  const number = (submits += 1)
  const retries = chance.pick(['none', 'one', 'all', 'all'] as const)
  const chunks = order.streamed || chance.next() < 0.3 ? 3 : 1
  const size = chance.next() < 0.1 ? 40_000 : 0 // too large to stand in the store itself
  const work = { ledger: order.ledger, ms: Math.floor(40 * chance.next()), chunks, size, padding: 'x'.repeat(size) }
  const body = JSON.stringify(work)
  const priority = chance.next() < 0.2 ? { 'x-fal-queue-priority': 'low' } : {}
  say({ kind: 'sent', number, retries })
  const headers = { 'content-type': 'application/json', ...wishes[retries], ...priority }
  const query = chance.next() < 0.4 ? `?fal_webhook=${encodeURIComponent(order.receiver)}` : ''
  const answer = await ask(query, { method: 'POST', headers, body })
  if (answer === undefined) return undefined
  if (answer.status !== 200) {
    say({ kind: 'refused', number, status: answer.status })
    await rest(20)
    return undefined
  }
  const { request_id: request } = JSON.parse(answer.text) as { request_id: string }
  say({ kind: 'acknowledged', number, request })
  return request
}

/** Looks at it until it is completed, for a while: those that take longer are left to the final look. */
async function follow(request: string, chance: Chance): Promise<void> {
  const until = performance.now() + patienceMs
  let told = ''
  while (performance.now() < until) {
    const seen = await ask(`/requests/${request}/status`)
    // A server that starts or drains answers in its own name.
    const status = seen && seen.status < 300 ? (JSON.parse(seen.text) as { status?: string }).status : undefined
    if (status !== undefined && status !== told) say({ kind: 'status', request, status: (told = status) })
    if (told === 'COMPLETED') break
    await rest(30 + 120 * chance.next())
  }
  if (told !== 'COMPLETED') return
  const answer = await ask(`/requests/${request}`)
  if (answer && isOfRequest(answer)) say({ kind: 'result', request, answer })
}

async function cancel(request: string): Promise<void> {
  say({ kind: 'cancelled', request }) // also when the answer is lost: it may have come through
  await ask(`/requests/${request}/cancel`, { method: 'PUT' })
}

async function call(chance: Chance): Promise<void> {
  while (asked) {
    const request = await submit(chance)
    if (request === undefined) continue
    if (chance.next() < 0.04) await cancel(request)
    await follow(request, chance)
  }
}

await Promise.all(
  Array.from({ length: order.callers }, (_, caller) => call(chanceOf(`${order.seed}/${order.client}/${caller}`))),
)
process.exit(0)
