// Calls an app so many times a second whatever the answers do, by turns directly and through its queue:
// steady-load.ts PORT PER_SECOND APP AUTHORIZATION. Reads lines: `phase NAME` says what the calls from now on belong to and answers with
// {}; `end` calls no more, waits for all outcomes, and answers with what came of each phase. A call counts from when it was due.
import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import type { Phase } from './phases.ts'

const [port = '', perSecond = '', app = '', authorization = ''] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: 256 })
const phases: Record<string, Phase> = {}
let phase = 'warm'
let ended = false

interface Answer {
  readonly status: number
  readonly text: string
}

function ask(method: string, path: string, body = ''): Promise<Answer> {
  const headers = { authorization, 'content-type': 'application/json', 'content-length': body.length }
  return new Promise((resolve) => {
    const asked = request({ port, host: '127.0.0.1', method, path, agent, headers }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text }))
    })
    asked.on('error', (error) => resolve({ status: 0, text: error.message })).end(body)
  })
}

async function direct(dueAt: number, { directMs, failures }: Phase): Promise<void> {
  const { status, text } = await ask('POST', `/${app}`, '{}')
  if (status === 200) directMs.push(Date.now() - dueAt)
  else failures.push(`direct call: ${status} ${text}`)
}

/** Queued ones are timed until they arrive at the app, which tells when that was. */
async function queued(dueAt: number, { queuedMs, failures }: Phase): Promise<void> {
  const submitted = await ask('POST', `/queue/${app}`, '{}')
  if (submitted.status !== 200) return void failures.push(`submit: ${submitted.status} ${submitted.text}`)
  const { request_id: id } = JSON.parse(submitted.text) as { request_id: string }
  results.push(async () => {
    for (;;) {
      const { status, text } = await ask('GET', `/queue/${app}/requests/${id}`)
      if (status === 200) return void queuedMs.push((JSON.parse(text) as { now: number }).now - dueAt)
      if (!text.includes('in progress')) return void failures.push(`result: ${status} ${text}`)
      await pause(100)
    }
  })
}

const results: (() => Promise<void>)[] = []
const calls: Promise<void>[] = []

async function call(): Promise<void> {
  const everyMs = 1_000 / Number(perSecond)
  for (let number = 0, dueAt = Date.now(); !ended; number += 1, dueAt += everyMs) {
    while (Date.now() < dueAt) await pause(1)
    const of = (phases[phase] ??= { directMs: [], queuedMs: [], failures: [] })
    calls.push(number % 2 === 0 ? direct(dueAt, of) : queued(dueAt, of))
  }
}

const calling = call()
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('phase ')) {
    phase = line.slice('phase '.length)
    console.log('{}')
    continue
  }
  ended = true
  await calling
  await Promise.all(calls)
  for (const result of results) await result()
  // More than a pipe holds: an exit at once would cut it off.
  process.stdout.write(`${JSON.stringify(phases)}\n`, () => process.exit(0))
  break
}
