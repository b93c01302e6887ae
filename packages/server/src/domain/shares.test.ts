import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Shares, type Reckoned } from './shares.ts'
import { hourMs } from './usage.ts'

const noon = 500_000 * hourMs

describe('requests on one runner', () => {
  test('that are alone have all of its time, those at once have equal parts', () => {
    const shares = new Shares(noon)
    const first = shares.join(noon)
    const second = shares.join(noon + 10)
    expect(shares.since(second, noon + 30)).toEqual([{ hour: noon, ms: 10 }])
    expect(shares.leave(noon + 30)).toBe(false)
    expect(shares.since(first, noon + 35)).toEqual([{ hour: noon, ms: 10 + 10 + 5 }])
    expect(shares.leave(noon + 35)).toBe(true)
  })

  test('have it hour by hour', () => {
    const shares = new Shares(noon)
    const first = shares.join(noon + hourMs - 4)
    shares.join(noon + hourMs - 2)
    expect(shares.since(first, noon + 2 * hourMs + 6)).toEqual([
      { hour: noon, ms: 2 + 1 },
      { hour: noon + hourMs, ms: hourMs / 2 },
      { hour: noon + 2 * hourMs, ms: 3 },
    ])
  })

  test('have together the time in which there was one, however they come and go', () => {
    const step = fc.record({
      after: fc.integer({ min: 0, max: 2 * hourMs }),
      leaves: fc.boolean(),
      settles: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let now = noon
        let busy = 0
        let got = 0
        const shares = new Shares(now)
        const open: Reckoned[] = []
        const reckon = (at: number) => {
          got += shares.since(open[at]!, now).reduce((sum, { ms }) => sum + ms, 0)
          open[at] = shares.reckoned(now)
        }
        for (const { after, leaves, settles } of steps) {
          now += after
          if (open.length > 0) busy += after
          if (settles) {
            open.forEach((_, at) => reckon(at))
            shares.forgetHours()
          }
          if (!leaves) open.push(shares.join(now))
          else if (open.length > 0) {
            reckon(0)
            open.shift()
            expect(shares.leave(now)).toBe(open.length === 0)
          }
        }
        open.forEach((_, at) => reckon(at))
        expect(got).toBeCloseTo(busy, 3)
      }),
      { seed: 6 },
    )
  })
})
