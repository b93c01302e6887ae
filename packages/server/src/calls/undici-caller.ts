import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { Agent } from 'undici'
import type { HeaderPairs } from '../domain/request.ts'
import type { Address } from '../domain/runner.ts'
import type { BodyEnd, Call, Caller, CallLimits, Exchange, Failure } from './call.ts'
import { codeOf, failureBeforeAnswer, longestTimer, messageOf, originOf } from './undici-failures.ts'
import { relay } from './undici-relay.ts'

/** All response headers together; more fails the response. */
const headerBytes = 16 * 1024

/** Shorter than what common servers keep an idle connection, so that we are the side that closes it. */
const keepIdleMs = 1_000

/**
 * A caller over undici. It closes idle connections first, and looks whether one is still open before it writes, so a
 * runner that drops a kept connection costs no attempt.
 */
export function createCaller(): Caller {
  /** By connect timeout, which undici takes per agent. There is one in practice. */
  const agents = new Map<number, Agent>()

  function agentFor(connectTimeout: number): Agent {
    const agent = agents.get(connectTimeout) ?? openAgent(connectTimeout)
    agents.set(connectTimeout, agent)
    return agent
  }

  return {
    exchange: (address, call, limits) => exchange(agentFor(limits.connectTimeoutMs), address, call, limits),
    relay: (address, call, limits, begin) => relay(agentFor(limits.connectTimeoutMs), address, call, { limits, begin }),
    close: async () => void (await Promise.all([...agents.values()].map((agent) => agent.destroy()))),
  }
}

function openAgent(connectTimeout: number): Agent {
  return new Agent({
    connect: { timeout: connectTimeout },
    pipelining: 1,
    keepAliveTimeout: keepIdleMs,
    keepAliveMaxTimeout: keepIdleMs,
    // One limit spans the whole exchange; a runner may be silent for as long as that.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: headerBytes,
  })
}

async function exchange(agent: Agent, address: Address, call: Call, limits: CallLimits): Promise<Exchange> {
  const limit = limitOf(limits)
  try {
    const response = await agent.request({
      origin: originOf(address),
      method: call.method,
      path: call.path,
      headers: call.headers.flat(),
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
  const flat = raw.map(String)
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!.toLowerCase(), flat[2 * i + 1]!] as const)
}
