import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const module = fileURLToPath(new URL('./load-lean.ts', import.meta.url))

/** How large a process's young generation is when it has kept a million objects while it loads lean, and a million more. */
const program = `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { loadLean } from ${JSON.stringify(module)}
  const kept = []
  const grow = async () => { for (let n = 0; n < 1_000_000; n += 1) kept.push({ n }) }
  const young = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size
  await loadLean(grow)
  const meanwhile = young()
  await grow()
  console.log(JSON.stringify({ meanwhile, after: young() }))
`

test('the young generation stays small while code is loaded, and grows with the work afterwards', () => {
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  const { meanwhile, after } = JSON.parse(printed) as { meanwhile: number; after: number }
  expect(meanwhile).toBeLessThan(after)
})
