// Submits so many times a second whatever the answers do: latency-load.ts PORT PER_SECOND SECONDS PATH AUTHORIZATION. Each says when it
// was due in `x-sent`, so that a sender that is late counts as time too. Ends when all are answered.
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

const [port = '', perSecond = '', seconds = '', path = '', authorization = ''] = process.argv.slice(2)
const body = JSON.stringify({ prompt: 'x'.repeat(1000) })
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

function submit(dueAt: bigint): Promise<void> {
  const headers = {
    authorization,
    'content-type': 'application/json',
    'content-length': body.length,
    'x-sent': String(dueAt),
  }
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', method: 'POST', path, agent, headers }, (res) => {
      if (res.statusCode !== 200) reject(new Error(`it answered ${res.statusCode}`))
      res.resume().on('end', resolve)
    })
    asked.on('error', reject).end(body)
  })
}

const count = Number(perSecond) * Number(seconds)
const every = BigInt(Math.round(1e9 / Number(perSecond)))
const answers: Promise<void>[] = []
for (let number = 0, dueAt = process.hrtime.bigint(); number < count; number += 1, dueAt += every) {
  while (process.hrtime.bigint() < dueAt) await pause(1)
  answers.push(submit(dueAt))
}
await Promise.all(answers)
console.log('{}')
process.exit(0)
