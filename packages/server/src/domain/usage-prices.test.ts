import { describe, expect, test } from 'vitest'
import { hourMs, nothing } from './usage.ts'
import { costOf, newPrices, priceAt, steadily, type PriceSince } from './usage-prices.ts'

const noon = 500_000 * hourMs
const type = { name: 'GPU-H100', cpus: 12, memoryBytes: 1, gpu: 'H100', gpus: 1 }
const price = (perSecond: number, since: number, machineType = 'GPU-H100'): PriceSince => ({
  machineType,
  since,
  perSecond,
  gpus: 1,
})

describe('prices', () => {
  test('that an operator has set or changed count from the hour on, the others are no news', () => {
    const now = noon + 1_000
    expect(newPrices([type], [], now)).toEqual([])
    expect(newPrices([{ ...type, pricePerSecond: 2 }], [], now)).toEqual([price(2, noon)])
    expect(newPrices([{ ...type, pricePerSecond: 2 }], [price(2, 0)], now)).toEqual([])
    expect(newPrices([{ ...type, pricePerSecond: 3 }], [price(2, 0)], now)).toEqual([price(3, noon)])
    expect(newPrices([type], [price(2, 0)], now)).toEqual([price(0, noon)])
    expect(newPrices([], [price(2, 0)], now)).toEqual([{ ...price(0, noon), gpus: 0 }])
  })

  test('hold until there is a later one', () => {
    const prices = [price(3, noon), price(2, 0), price(9, 0, 'S')]
    expect(priceAt(prices, 'GPU-H100', noon - 1)?.perSecond).toBe(2)
    expect(priceAt(prices, 'GPU-H100', noon)?.perSecond).toBe(3)
    expect(priceAt(prices, 'M', noon)).toBeUndefined()
    expect(steadily(prices, { from: noon - 5, to: noon + 5 })).toEqual([
      { from: noon - 5, to: noon },
      { from: noon, to: noon + 5 },
    ])
    expect(steadily(prices, { from: noon, to: noon + 5 })).toEqual([{ from: noon, to: noon + 5 }])
  })

  test.each([
    ['one GPU', { runnerMs: 60_000, gpuMs: 60_000 }, 1, 120],
    ['two, where the price is of one', { runnerMs: 60_000, gpuMs: 120_000 }, 1, 240],
    ['two, where the price is of eight', { runnerMs: 60_000, gpuMs: 120_000 }, 8, 30],
    ['no GPU', { runnerMs: 60_000, gpuMs: 0 }, 0, 120],
  ])('a minute at 2 a second with %s', (_, used, gpus, cost) => {
    expect(costOf({ ...nothing, ...used }, { ...price(2, 0), gpus })).toBe(cost)
  })
})
