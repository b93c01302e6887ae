import { until, type Carrick } from '../test/e2e/carrick.ts'
import { untilAllEnded } from './quiet.ts'
import type { Report } from './report.ts'

/** More runners fit than a machine of this size would be given: they do next to nothing. */
export const room = { CARRICK_CPU_OVERCOMMIT: '1000', CARRICK_MEMORY_OVERCOMMIT: '1000' }

/** What became of requests that were sent at the same time. */
export interface Woken {
  /** Milliseconds from before the first was sent until the last had arrived at its app. */
  readonly tookMs: number
  /** What the others were answered, and how many of them it was. */
  readonly failures: ReadonlyMap<string, number>
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
  await untilAllEnded(carrick) // which costs next to nothing, and is not the end yet
  await until(() => haveEnded(carrick, results), 'the last outcome')
  const answers = await Promise.all(results.map((path) => carrick.ask(path)))
  const served = answers.filter(({ status }) => status === 200)
  const arrived = await Promise.all(served.map(async (answer) => ((await answer.json()) as { now: number }).now))
  const failures = new Map<string, number>()
  for (const answer of answers) {
    if (answer.status === 200) continue
    const what = `${answer.status} ${await answer.text()}`.replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, '…')
    failures.set(what, (failures.get(what) ?? 0) + 1)
  }
  return { tookMs: Math.max(...arrived) - sent, failures }
}

/**
 * Whether all have their outcomes. A server has nothing queued and nothing running also while an outcome is on its way to the
 * disk, and while a request waits for its next attempt: on a busy machine runners are given up whose ports answer too late.
 */
async function haveEnded(carrick: Carrick, results: readonly string[]): Promise<boolean> {
  const looks = await Promise.all(results.map((path) => carrick.ask(`${path}/status`)))
  await Promise.all(looks.map((look) => look.arrayBuffer()))
  return looks.every(({ status }) => status !== 202)
}

/** Adds to a report how many requests failed, and says on stderr what they were answered. */
export function tellOfFailures(report: Report, all: readonly Woken['failures'][]): void {
  const failures = all.flatMap((each) => [...each])
  for (const [what, count] of failures) console.error(`${count} requests were answered ${what}`)
  const failed = failures.reduce((sum, [, count]) => sum + count, 0)
  report.add('the same, requests that were not served', failed, { atMost: 0 })
}
