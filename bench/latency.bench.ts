import type { Report } from './report.ts'
import { ran, start, startServer } from './server.ts'

const perSecond = 200
const seconds = 20

/**
 * Question: how long after it was sent does a submit reach an app that is warm? Expected: one commit, which holds the acceptance and the
 * attempt's start, and two connections. Sent at a steady rate by a process of its own; timed from when each was due until
 * the runner has its headers, by the machine's one monotonic clock.
 */
export async function latency(report: Report): Promise<void> {
  await using runner = start('http-runner.ts')
  const { port } = await runner.hear<{ port: number }>()
  await using server = await startServer('durable', port)
  const load = (rate: number, during: number) =>
    ran('latency-load.ts', server.port, rate, during, `/queue${server.path}`, `Key ${server.key}`)
  await load(400, 5) // warms the code up
  await runner.ask('times')
  await load(perSecond, seconds)
  const took = (await runner.ask<number[]>('times')).toSorted((a, b) => a - b)
  const at = (share: number) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? Number.NaN
  report.add(`submit to first byte at a warm app, ${perSecond}/s, requests`, took.length)
  report.add(`the same, p50`, at(0.5), { atMost: 5 }, ' ms')
  report.add(`the same, p99`, at(0.99), { atMost: 20 }, ' ms')
}
