import { beforeEach, describe, expect, test } from 'vitest'
import { hourMs } from '../domain/usage.ts'
import { UsageMeter } from './usage-meter.ts'

const noon = 500_000 * hourMs
let now = noon
let meter: UsageMeter
beforeEach(() => {
  now = noon
  meter = new UsageMeter({ now: () => now })
})

const bob = { keyId: 'bobs', isShared: true }
const amounts = () =>
  meter.take().map(({ keyId, hour, ms, requests, units }) => [keyId, hour - noon, ms, requests, units])

describe('what uses a runner', () => {
  test('counts its time by key, and as a request when it is a direct call', () => {
    const direct = meter.begin('runner', bob, 'request')
    const queued = meter.begin('runner', { keyId: 'anns', isShared: false })
    now += 10
    queued.end()
    now += 5
    direct.answered([['x-fal-billable-units', '2.5']])
    direct.end()
    direct.end()
    expect(amounts()).toEqual([
      ['anns', 0, 5, 0, 0],
      ['bobs', 0, 10, 1, 250_000_000],
    ])
    expect(amounts()).toEqual([])
  })

  test('is taken as far as it has come, so that a long one is not lost as a whole', () => {
    const use = meter.begin('runner', bob, 'request')
    now += hourMs + 7
    expect(amounts()).toEqual([
      ['bobs', 0, hourMs, 0, 0],
      ['bobs', hourMs, 7, 0, 0],
    ])
    now += 3
    use.end()
    expect(amounts()).toEqual([['bobs', hourMs, 3, 1, 0]])
  })

  test('without a key is nobody who pays, and counts as a request', () => {
    const use = meter.begin('runner', { keyId: undefined, isShared: false }, 'request')
    now += 10
    use.end()
    expect(amounts()).toEqual([[undefined, 0, 0, 1, 0]])
  })

  test('comes again when it could not be stored', () => {
    meter.begin('runner', bob, 'one').end()
    const taken = meter.take()
    meter.begin('runner', bob, 'other').end()
    meter.putBack(taken)
    expect(amounts()).toEqual([['bobs', 0, 0, 2, 0]])
  })
})

describe('units that are said later', () => {
  test('count once, for a call that announced them, within an hour', () => {
    const call = meter.begin('runner', bob, 'request')
    call.answered([['x-fal-billable-units-webhook', '1']])
    call.end()
    expect(meter.awaits('request')).toBe('runner')
    expect(meter.awaits('another')).toBeUndefined()
    meter.report('request', 7)
    meter.report('request', 8)
    expect(amounts()).toEqual([['bobs', 0, 0, 1, 7]])
    now += hourMs + 1
    expect(meter.awaits('request')).toBeUndefined()
  })
})
