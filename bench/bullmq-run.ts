// Lifecycles of BullMQ alone: bullmq-run.ts REDIS_PORT CALLERS JOBS WARMING. Each caller adds a job, waits until it is finished and has its
// result. Prints the seconds it took as JSON.
import { Queue, QueueEvents, Worker } from 'bullmq'
import { Redis } from 'ioredis'

const [port = '', callers = '', jobs = '', warming = ''] = process.argv.slice(2)
const connection = new Redis({ host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null })
const data = { prompt: 'x'.repeat(1000) }
const name = `bench-${process.pid}`
const queue = new Queue(name, { connection })
const events = new QueueEvents(name, { connection })
const worker = new Worker(name, () => Promise.resolve({}), { connection, concurrency: 64 })
events.setMaxListeners(0)
await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()])

let left = 0
async function live(): Promise<void> {
  while (left > 0) {
    left -= 1
    const job = await queue.add('job', data)
    await job.waitUntilFinished(events)
  }
}

async function all(count: number): Promise<number> {
  left = count
  const started = performance.now()
  await Promise.all(Array.from({ length: Number(callers) }, live))
  return (performance.now() - started) / 1000
}

await all(Number(warming))
console.log(JSON.stringify({ seconds: await all(Number(jobs)) }))
process.exit(0)
