// Lifecycles of pg-boss alone: pg-boss-run.ts DATABASE_URL CALLERS JOBS WARMING. Each caller sends a job; a loop of ours fetches and completes
// them in batches, and the caller then reads its job's result. Prints the seconds it took as JSON.
import { PgBoss } from 'pg-boss'

const [connectionString = '', callers = '', jobs = '', warming = ''] = process.argv.slice(2)
const boss = new PgBoss({ connectionString, max: 20, supervise: false, schedule: false })
boss.on('error', (error) => {
  throw error
})
await boss.start()
await boss.createQueue('bench')
const data = { prompt: 'x'.repeat(1000) }

const finished = new Map<string, () => void>()
const early = new Set<string>()
let over = false

/** Several batches at a time, as several workers would. */
async function work(): Promise<void> {
  while (!over) {
    const batch = await boss.fetch('bench', { batchSize: 64 })
    if (batch.length === 0) continue
    const ids = batch.map(({ id }) => id)
    await boss.complete('bench', ids, {})
    for (const id of ids) {
      const tell = finished.get(id)
      if (tell === undefined) early.add(id)
      else tell()
    }
  }
}

let left = 0
async function live(): Promise<void> {
  while (left > 0) {
    left -= 1
    const id = (await boss.send('bench', data)) ?? ''
    if (!early.delete(id)) await new Promise<void>((resolve) => finished.set(id, resolve))
    finished.delete(id)
    await boss.findJobs('bench', { id })
  }
}

async function all(count: number): Promise<number> {
  left = count
  const started = performance.now()
  await Promise.all(Array.from({ length: Number(callers) }, live))
  return (performance.now() - started) / 1000
}

const working = [work(), work()]
await all(Number(warming))
console.log(JSON.stringify({ seconds: await all(Number(jobs)) }))
over = true
await Promise.all(working)
process.exit(0)
