import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { callbackify } from 'node:util'
import { Pool, type buildConnector } from 'undici'
import type { HeaderPairs } from '../domain/request.ts'
import type { Address } from '../domain/runner.ts'
import type { Dial, WaysIn } from '../kit/ways-in.ts'
import type { BeginAnswer, BodyEnd, Call, Caller, CallLimits, Exchange, Failure, TimeLimits } from './call.ts'
import { flat } from './headers.ts'
import { codeOf, failureBeforeAnswer, longestTimer, messageOf, originOf } from './undici-failures.ts'
import { relay } from './undici-relay.ts'

/** All response headers together; more fails the response. */
const headerBytes = 16 * 1024

/** Shorter than what common servers keep an idle connection, so that we are the side that closes it. */
const keepIdleMs = 1_000

/**
 * A caller over undici. It closes idle connections first, and looks whether one is still open before it writes, so a
 * runner that drops a kept connection costs no attempt. After an answer of 500 or more no connection to that runner is
 * used again: common servers close one once they have reported the failure, which may be after the next call is written.
 * Where there is a nearer way to an address than the network, it connects by that.
 */
export function createCaller(ways?: Pick<WaysIn, 'to'>): Caller {
  /** By address and connect timeout, which undici takes per pool. There is one timeout in practice. */
  const pools = new Map<string, Pool>()
  const open = new Set<Pool>()

  function openPool(key: string, address: Address, connectTimeout: number): Pool {
    const dial = ways?.to(address)
    const connect = dial === undefined ? { timeout: connectTimeout } : connectorBy(dial, connectTimeout)
    const pool = new Pool(originOf(address), { ...poolOptions, connect })
    const look = () => setImmediate(() => void (isDeserted(pool) && pools.get(key) === pool && retire(key, pool)))
    pool.on('disconnect', look).on('connectionError', look) // a runner that is gone leaves nothing behind
    pools.set(key, pool)
    open.add(pool)
    return pool
  }

  /** Calls that are under way end as they would; the next one connects anew. */
  function retire(key: string, pool: Pool): void {
    if (pools.get(key) === pool) pools.delete(key)
    if (!pool.closed && !pool.destroyed) void pool.close().then(() => open.delete(pool))
  }

  /** Makes a call by the pool of an address, and tells how to say that the app has failed. */
  function from<T>(
    { host, port }: Address,
    { connectTimeoutMs }: TimeLimits,
    call: (pool: Pool, failed: () => void) => T,
  ): T {
    const key = `${connectTimeoutMs} ${host} ${port}`
    const pool = pools.get(key) ?? openPool(key, { host, port }, connectTimeoutMs)
    return call(pool, () => retire(key, pool))
  }

  return {
    exchange: (address, call, limits) =>
      from(address, limits, async (pool, failed) => {
        const answer = await exchange(pool, call, limits)
        if (answer.kind === 'answered' && answer.status >= 500) failed()
        return answer
      }),
    relay: (address, call, limits, begin) =>
      from(address, limits, (pool, failed) => {
        const watching: BeginAnswer = (status, headers) => {
          if (status >= 500) failed()
          return begin(status, headers)
        }
        return relay(pool, address, call, { limits, begin: watching })
      }),
    close: async () => void (await Promise.all([...open].map((pool) => pool.destroy()))),
  }
}

const poolOptions = {
  pipelining: 1,
  keepAliveTimeout: keepIdleMs,
  keepAliveMaxTimeout: keepIdleMs,
  // One limit spans the whole exchange; a runner may be silent for as long as that.
  headersTimeout: 0,
  bodyTimeout: 0,
  maxHeaderSize: headerBytes,
} as const

function connectorBy(dial: Dial, limitMs: number): buildConnector.connector {
  const connect = callbackify(() => dial(limitMs))
  return (_options, done) => connect((error, socket) => (error ? done(error, null) : done(null, socket)))
}

const isDeserted = ({ stats }: Pool): boolean => stats.connected === 0 && stats.size === 0

async function exchange(pool: Pool, call: Call, limits: CallLimits): Promise<Exchange> {
  const limit = limitOf(limits)
  try {
    const response = await pool.request({
      method: call.method,
      path: call.path,
      headers: flat(call.headers),
      body: call.body,
      responseHeaders: 'raw',
      signal: limit.signal,
    })
    const body: Readable = response.body
    const ended = endOf(body, limit)
    return { kind: 'answered', status: response.statusCode, headers: pairsOf(response.headers), body, ended }
  } catch (error) {
    limit.lift()
    return limit.failure() ?? failureBeforeAnswer(error)
  }
}

/** Also after this, nothing is thrown when nobody looks: the end is a value. */
async function endOf(body: Readable, limit: Limit): Promise<BodyEnd> {
  try {
    await finished(body, { writable: false })
    return { kind: 'complete' }
  } catch (error) {
    const closedByReader = codeOf(error) === 'ERR_STREAM_PREMATURE_CLOSE' || codeOf(error) === 'UND_ERR_ABORTED'
    return limit.failure() ?? (closedByReader ? { kind: 'aborted' } : { kind: 'incomplete', message: messageOf(error) })
  } finally {
    limit.lift()
  }
}

interface Limit {
  readonly signal: AbortSignal
  /** What the limit has to say, once it has struck. */
  failure(): Failure | undefined
  lift(): void
}

function limitOf({ requestTimeoutMs, signal }: CallLimits): Limit {
  const abort = new AbortController()
  let failure: Failure | undefined

  function strike(why: Failure): void {
    failure ??= why
    abort.abort()
  }
  const aborted = () => strike({ kind: 'aborted' })
  const timer = setTimeout(
    () => strike({ kind: 'timed_out', afterMs: requestTimeoutMs }),
    Math.min(requestTimeoutMs, longestTimer),
  )
  signal.addEventListener('abort', aborted, { once: true })
  if (signal.aborted) aborted()

  return {
    signal: abort.signal,
    failure: () => failure,
    lift: () => (clearTimeout(timer), signal.removeEventListener('abort', aborted)),
  }
}

/** Undici types raw headers as parsed ones; they come as a flat list of names and values. */
function pairsOf(raw: unknown): HeaderPairs {
  if (!Array.isArray(raw)) return []
  const texts = raw.map(String)
  return Array.from({ length: texts.length / 2 }, (_, i) => [texts[2 * i]!.toLowerCase(), texts[2 * i + 1]!] as const)
}
