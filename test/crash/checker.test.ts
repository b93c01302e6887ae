import { describe, expect, test } from 'vitest'
import { check, type Invariant } from './checker.ts'
import type { ClientEvent, Evidence, LedgerLine, StoredRow } from './history.ts'

const said = (request: string, attempt = 1) => ({ status: 200, text: JSON.stringify({ request, attempt }) })
const disconnected = { status: 503, text: '{"error_type":"runner_disconnected"}' }

function row(id: string, seq: number, more: Partial<StoredRow> = {}): StoredRow {
  const attempts = [{ number: 1, runner: 'r1', startedAt: 100 * seq }]
  const usual = {
    caller: 'c',
    priority: 'normal',
    retries: 'all',
    state: 'completed',
    status: 200,
    attempt: 1,
    hasWebhook: false,
  } as const
  return { id, seq, ...usual, attempts, ...more }
}

function ran(request: string, at: number, attempt = 1, runner = 'r1'): LedgerLine[] {
  return [
    { what: 'began', request, attempt, runner, at },
    { what: 'ended', request, attempt, runner, at: at + 10 },
  ]
}

function sent(request: string, number: number, at: number): ClientEvent[] {
  return [
    { kind: 'sent', client: 0, number, retries: 'all', at },
    { kind: 'acknowledged', client: 0, number, request, at: at + 5 },
  ]
}

const status = (request: string, word: string, at: number): ClientEvent => ({
  kind: 'status',
  client: 0,
  request,
  status: word,
  at,
})

/** Two requests, one after the other, without any trouble. */
const good: Evidence = {
  clients: [
    ...sent('a', 1, 0),
    status('a', 'IN_PROGRESS', 110),
    status('a', 'COMPLETED', 120),
    { kind: 'result', client: 0, request: 'a', answer: said('a'), at: 130 },
    ...sent('b', 2, 140),
  ],
  ledger: [...ran('a', 101), ...ran('b', 201)],
  rows: [row('a', 1), row('b', 2)],
  deliveries: [],
  answers: new Map([
    ['a', said('a')],
    ['b', said('b')],
  ]),
  mostRunning: 2,
  runners: { survivors: [], unrecorded: [], missing: [] },
}

function broken(more: Partial<Evidence>): readonly Invariant[] {
  return [...new Set(check({ ...good, ...more }).map(({ invariant }) => invariant))]
}

const answered = (id: string, answer: { status: number; text: string }) => new Map([...good.answers, [id, answer]])

const delivered = (request: string, answer = said(request), word = 'OK') => ({
  request,
  text: `{"request_id":"${request}","status":"${word}","payload":${answer.text},"error":null}`,
})

test('nothing is said against a history without trouble', () => {
  expect(check(good)).toEqual([])
})

test('a request that went through three attempts, and one that forbids retries and was lost, are no trouble', () => {
  const attempts = [1, 2, 3].map((number) => ({ number, runner: 'r1', startedAt: 100 * number }))
  const rows = [
    row('a', 1, { attempt: 3, attempts }),
    row('b', 2, { retries: 'none', status: 503 }), // it had begun when the server was killed
  ]
  const ledger = [...ran('a', 101), ...ran('a', 201, 2).slice(0, 1), ...ran('a', 301, 3), ...ran('b', 401).slice(0, 1)]
  const clients = good.clients.filter(({ kind }) => kind !== 'result' && kind !== 'status')
  const answers = new Map([
    ['a', said('a', 3)],
    ['b', disconnected],
  ])
  expect(check({ ...good, clients, rows, ledger, answers })).toEqual([])
})

describe('1: one terminal outcome', () => {
  test('a request that was acknowledged and is not stored is found', () => {
    expect(broken({ clients: [...good.clients, ...sent('lost', 3, 300)] })).toEqual([1])
  })

  test.each(['waiting', 'running'])('a request that is %s at the end is found', (state) => {
    expect(broken({ rows: [row('a', 1), row('b', 2, { state, status: null })] })).toEqual([1])
  })

  test('an outcome that is stored and not served is found', () => {
    expect(broken({ answers: new Map([['a', said('a')]]) })).toEqual([1])
  })

  test('a failure before the attempts are used up is found', () => {
    const rows = [row('a', 1), row('b', 2, { status: 503 })]
    expect(broken({ rows, answers: answered('b', disconnected) })).toEqual([1])
  })

  test('a success that the app knows nothing of is found', () => {
    expect(broken({ ledger: ran('a', 101) })).toEqual([1])
  })

  test('the result of an attempt that is not the last one is found', () => {
    const attempts = [1, 2].map((number) => ({ number, runner: 'r1', startedAt: 200 * number }))
    const rows = [row('a', 1), row('b', 2, { attempt: 2, attempts })]
    expect(broken({ rows, ledger: [...good.ledger, ...ran('b', 401, 2)] })).toEqual([1])
  })

  test('an answer that broke off is tried again where that is allowed', () => {
    const incomplete = { status: 502, text: '{"error_type":"runner_incomplete_response"}' }
    const answers = answered('b', incomplete)
    expect(broken({ rows: [row('a', 1), row('b', 2, { status: 502, retries: 'none' })], answers })).toEqual([])
    expect(broken({ rows: [row('a', 1), row('b', 2, { status: 502 })], answers })).toEqual([1])
  })

  test('a result that found no room is found, unless the disk was full', () => {
    const full = { status: 507, text: '{}' }
    const rows = [row('a', 1), row('b', 2, { status: 507 })]
    expect(broken({ rows, answers: answered('b', full) })).toEqual([1])
    expect(broken({ rows, answers: answered('b', full), onFullDisk: true })).toEqual([])
  })

  test('a cancellation that nobody asked for is found', () => {
    const cancelled = { status: 499, text: '{}' }
    const rows = [row('a', 1), row('b', 2, { status: 499 })]
    expect(broken({ rows, answers: answered('b', cancelled) })).toEqual([1])
    const clients = [...good.clients, { kind: 'cancelled', client: 0, request: 'b', at: 150 } as const]
    expect(broken({ clients, rows, answers: answered('b', cancelled) })).toEqual([])
  })
})

describe('2: one result', () => {
  test('a result that is another one later is found', () => {
    const early = { kind: 'result', client: 0, request: 'b', answer: said('b', 7), at: 220 } as const
    expect(broken({ clients: [...good.clients, early] })).toEqual([2])
  })

  test('a request that was completed and runs again is found', () => {
    expect(broken({ clients: [...good.clients, status('a', 'IN_QUEUE', 140)] })).toEqual([2])
  })
})

describe('3: executions', () => {
  test('an attempt that ran twice is found', () => {
    expect(broken({ ledger: [...good.ledger, ...ran('b', 300)] })).toEqual([3])
  })

  test('a second run of a request that forbids retries is found', () => {
    const attempts = [1, 2].map((number) => ({ number, runner: 'r1', startedAt: 200 * number }))
    const rows = [row('a', 1), row('b', 2, { retries: 'none', attempt: 2, attempts })]
    const ledger = [...good.ledger, ...ran('b', 401, 2)]
    expect(broken({ rows, ledger, answers: answered('b', said('b', 2)) })).toEqual([3])
  })

  test('a run whose start is not stored is found', () => {
    expect(broken({ rows: [row('a', 1), row('b', 2, { attempts: [] })] })).toEqual([3])
  })

  test('a run on another runner than the stored one is found', () => {
    expect(broken({ ledger: [...ran('a', 101), ...ran('b', 201, 1, 'another')] })).toEqual([3])
  })

  test('a run of a request that nobody stored is found', () => {
    expect(broken({ ledger: [...good.ledger, ...ran('ghost', 300)] })).toEqual([3])
  })
})

describe('4: concurrency', () => {
  const three = ['a', 'b', 'c']
  const rows = three.map((id, at) => row(id, at + 1))
  const answers = new Map(three.map((id) => [id, said(id)]))
  const clients = three.flatMap((id, at) => sent(id, at + 1, at))

  test('one more at a time than is allowed is found', () => {
    const ledger = three.flatMap((id, at) => ran(id, 100 + at))
    expect(broken({ clients, rows, answers, ledger })).toEqual([4])
  })

  test('work that goes on after its request was cancelled is no trouble', () => {
    const ledger = three.flatMap((id, at) => ran(id, 100 + at))
    const oneCancelled = rows.map((each) => (each.id === 'b' ? { ...each, status: 499 } : each))
    const told = [...clients, { kind: 'cancelled', client: 0, request: 'b', at: 104 } as const]
    const hungUp = new Map([...answers, ['b', { status: 499, text: '' }]])
    expect(broken({ clients: told, rows: oneCancelled, answers: hungUp, ledger })).toEqual([])
  })

  test('work that ends as the next begins is no trouble, and work of a dead runner does not count for ever', () => {
    const apart = three.flatMap((id, at) => ran(id, 100 + 10 * at))
    expect(broken({ clients: [], rows, answers, ledger: apart })).toEqual([])
    const dead = [...ran('a', 100), ...ran('b', 101, 1, 'r2').slice(0, 1), ...ran('c', 102)]
    const onTwo = [
      rows[0]!,
      row('b', 2, { status: 503, retries: 'none', attempts: [{ number: 1, runner: 'r2', startedAt: 200 }] }),
      rows[2]!,
    ]
    expect(
      broken({ clients: [], rows: onTwo, answers: new Map([...answers, ['b', disconnected]]), ledger: dead }),
    ).toEqual([])
  })
})

describe('5: order', () => {
  test('one that came later and started before is found', () => {
    const attempts = [{ number: 1, runner: 'r1', startedAt: 50 }]
    expect(broken({ rows: [row('a', 1), row('b', 2, { attempts })] })).toEqual([5])
  })

  test('of another priority, of another caller, or tried again, it may start before', () => {
    const attempts = [{ number: 1, runner: 'r1', startedAt: 50 }]
    expect(broken({ rows: [row('a', 1, { priority: 'low' }), row('b', 2, { attempts })] })).toEqual([])
    expect(broken({ rows: [row('a', 1, { caller: 'other' }), row('b', 2, { attempts })] })).toEqual([])
  })

  test('one that was acknowledged before another was sent, and stands behind it, is found', () => {
    const rows = [
      row('a', 2, { attempts: [{ number: 1, runner: 'r1', startedAt: 100 }] }),
      row('b', 1, { attempts: [{ number: 1, runner: 'r1', startedAt: 100 }] }),
    ]
    expect(broken({ rows })).toEqual([5])
  })
})

describe('6: webhooks', () => {
  const rows = [row('a', 1), row('b', 2, { hasWebhook: true })]

  test('one that never came is found, and one that came twice is no trouble', () => {
    expect(broken({ rows })).toEqual([6])
    expect(broken({ rows, deliveries: [delivered('b'), delivered('b')] })).toEqual([])
  })

  test('one that carries another result, or another word for it, is found', () => {
    expect(broken({ rows, deliveries: [delivered('b'), delivered('b', said('b', 2))] })).toEqual([6])
    expect(broken({ rows, deliveries: [delivered('b', said('b'), 'ERROR')] })).toEqual([6])
  })

  test('one of a request that has no result is found', () => {
    expect(broken({ deliveries: [delivered('ghost')] })).toEqual([6])
  })
})

test.each(['survivors', 'unrecorded', 'missing'] as const)('7: runners that are %s are found', (kind) => {
  expect(broken({ runners: { ...good.runners, [kind]: ['r9'] } })).toEqual([7])
})
