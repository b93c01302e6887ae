// npm run simulate -- [--seed N] [--seeds M] [--days D]: plays the control loop on fake machines in virtual time, D days for
// each of M seeds from N on, and tells what was broken, with how to play it again. Ends with 1 when a promise was broken.
import { parseArgs } from 'node:util'
import { simulate } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    days: { type: 'string', default: '7' },
  },
})
let broken = 0
for (let each = 0; each < Number(values.seeds); each += 1) {
  const seed = String(Number(values.seed) + each)
  const began = process.cpuUsage()
  const { broken: what, events, ...played } = await simulate({ seed, days: Number(values.days) })
  const { user, system } = process.cpuUsage(began)
  const figures = {
    ...played,
    cpuSeconds: (user + system) / 1_000_000,
    heapMiB: process.memoryUsage().heapUsed / 2 ** 20,
  }
  console.log(
    `seed ${seed}, ${values.days} days: ${JSON.stringify(figures, (_, of: unknown) => (typeof of === 'number' ? Math.round(of) : of))}`,
  )
  if (what.length === 0) continue
  broken += 1
  console.log(`${events.join('\n')}\nBROKEN:\n${what.join('\n')}`)
  console.log(`again: npm run simulate -- --seed ${seed} --days ${values.days}`)
}
process.exit(broken > 0 ? 1 : 0)
