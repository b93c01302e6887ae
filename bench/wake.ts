import type { Carrick } from '../test/e2e/carrick.ts'
import { untilAllEnded } from './quiet.ts'

/** More runners fit than a machine of this size would be given: they do next to nothing. */
export const room = { CARRICK_CPU_OVERCOMMIT: '1000', CARRICK_MEMORY_OVERCOMMIT: '1000' }

/** What became of requests that were sent at the same time. */
export interface Woken {
  /** Milliseconds from before the first was sent until the last had arrived at its app. */
  readonly tookMs: number
  readonly failed: number
}

/** Sends one request to each of these apps at once, and waits for all results. Each is kept at its app for so long. */
export async function wake(carrick: Carrick, apps: readonly string[], seconds: number): Promise<Woken> {
  const headers = { 'content-type': 'application/json' }
  const sent = Date.now()
  const submits = apps.map(async (app) => {
    const answer = await carrick.ask(`/queue/tester/${app}`, {
      method: 'POST',
      body: JSON.stringify({ seconds }),
      headers,
    })
    return `/queue/tester/${app}/requests/${((await answer.json()) as { request_id: string }).request_id}`
  })
  const results = await Promise.all(submits)
  await untilAllEnded(carrick)
  const answers = await Promise.all(results.map((path) => carrick.ask(path)))
  const served = answers.filter(({ status }) => status === 200)
  const arrived = await Promise.all(served.map(async (answer) => ((await answer.json()) as { now: number }).now))
  return { tookMs: Math.max(...arrived) - sent, failed: answers.length - served.length }
}
