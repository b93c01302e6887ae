/**
 * How long tests wait for what has to come: Vitest's own second passes on a machine that is busy with others, and a wait that comes
 * true does not take longer for a generous limit. `expect.poll` has its limit in vitest.config.ts.
 */
import { vi } from 'vitest'

const patienceMs = 60_000
const waitFor = vi.waitFor.bind(vi)

vi.waitFor = (holds, given = {}) => {
  const { timeout = 0, ...more } = typeof given === 'number' ? { timeout: given } : given
  return waitFor(holds, { ...more, timeout: Math.max(timeout, patienceMs) })
}
