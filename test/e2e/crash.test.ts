import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, clients, root, until } from './carrick.ts'

const processes = 3
const requestsEach = 150
const kills = 4
const attemptsAllowed = 10

interface Acknowledged {
  readonly request: string
  readonly retries: boolean
}

/**
 * Several client processes submit while the server is killed again and again. Then the clients' histories are compared
 * with what the app itself wrote down.
 */
describe('kill -9 at any moment', () => {
  let carrick: Carrick
  let ledger: string
  beforeAll(async () => {
    carrick = await Carrick.start()
    ledger = join(carrick.folder, 'ledger')
    await carrick.deploy('ledger.py::Ledger', 'ledger')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  test('every acknowledged request has one outcome, none runs too often, no runner is left behind', async () => {
    const histories = Promise.all(Array.from({ length: processes }, () => submitMany(carrick, ledger)))
    let submitting = true
    void histories.finally(() => (submitting = false))
    for (let kill = 0; kill < kills || submitting; kill += 1) {
      await someProgress(ledger)
      await carrick.down('SIGKILL')
      await carrick.up()
    }
    const acknowledged = (await histories).flat()
    expect(acknowledged.length).toBeGreaterThan(100)

    const outcomes = await Promise.all(acknowledged.map(({ request }) => outcomeOf(carrick, request)))
    const runs = await runsByRequest(ledger)
    for (const [index, { request, retries }] of acknowledged.entries()) {
      const times = runs.get(request) ?? []
      const outcome = outcomes[index]
      expect(new Set(times).size, `${request}: no attempt ran twice`).toBe(times.length)
      expect(times.length, `${request}: runs`).toBeLessThanOrEqual(retries ? attemptsAllowed : 1)
      if (outcome === 200) expect(times.length, `${request}: it succeeded, so it ran`).toBeGreaterThan(0)
      else
        expect([retries, outcome], `${request}: only one that forbids retries may be lost to a crash`).toEqual([
          false,
          503,
        ])
    }
    await until(async () => (await carrick.status()).queued + (await carrick.status()).running === 0, 'an empty queue')
    await noRunnerLeftBehind(carrick)
  })
})

/** The history of one client process. */
async function submitMany(carrick: Carrick, ledger: string): Promise<Acknowledged[]> {
  const program = join(root, 'test/e2e/clients/submit_many.py')
  const child = spawn(join(await clients(), 'bin', 'python'), [program, ledger, String(requestsEach)], {
    env: { ...process.env, ...carrick.variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const history: Acknowledged[] = []
  for await (const line of createInterface({ input: child.stdout })) history.push(JSON.parse(line) as Acknowledged)
  if (child.exitCode === null) await once(child, 'exit')
  return history
}

/** Waits until the app has run some more requests, a random number of them, so that kills fall at random moments. */
async function someProgress(ledger: string): Promise<void> {
  const before = (await lines(ledger)).length
  const more = 1 + Math.floor(Math.random() * 40)
  const patience = performance.now() + 15_000
  while ((await lines(ledger)).length < before + more && performance.now() < patience) {
    await new Promise((wake) => setTimeout(wake, 5))
  }
}

/** The final status of a request, asked for twice: once it is visible it never changes. */
async function outcomeOf(carrick: Carrick, request: string): Promise<number> {
  const headers = { authorization: `Key ${carrick.variables['FAL_KEY']}` }
  const base = `${carrick.url.replace('https:', 'http:')}/queue/tester/ledger/requests/${request}`
  await until(async () => (await fetch(`${base}/status`, { headers })).status === 200, `an outcome of ${request}`)
  const [first, second] = [await fetch(base, { headers }), await fetch(base, { headers })]
  expect(await second.text()).toBe(await first.text())
  expect(second.status).toBe(first.status)
  return first.status
}

async function runsByRequest(ledger: string): Promise<Map<string, string[]>> {
  const runs = new Map<string, string[]>()
  for (const line of await lines(ledger)) {
    const [request = '', attempt = ''] = line.split(' ')
    runs.set(request, [...(runs.get(request) ?? []), attempt])
  }
  return runs
}

async function lines(ledger: string): Promise<string[]> {
  const text = await readFile(ledger, 'utf8').catch(() => '')
  return text.split('\n').filter((line) => line !== '')
}

/** Processes of this installation that the server does not list. */
async function noRunnerLeftBehind(carrick: Carrick): Promise<void> {
  await until(async () => (await carrick.status()).runners === 0, 'no runners')
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    if (environment.includes('CARRICK_RUNNER_ID=') && environment.includes(carrick.folder)) found.push(pid)
  }
  expect(found).toEqual([])
}
