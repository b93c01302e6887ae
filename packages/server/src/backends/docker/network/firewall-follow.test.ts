import { expect, test, vi } from 'vitest'
import { silent } from '../../../kit/logger.ts'
import { followAddresses } from './firewall-follow.ts'

test('the rules follow the addresses: one that came is named, one that could not be is tried again, and what stays costs nothing', async () => {
  const looks = vi.fn<() => void>()
  const ensure = vi.fn<() => Promise<void>>()
  ensure.mockRejectedValueOnce(new Error('another app holds the lock'))
  let addresses = ['192.0.2.2', '10.0.0.1']
  vi.useFakeTimers()
  try {
    const following = followAddresses({
      firewall: { ensure },
      addresses: async () => (looks(), addresses),
      known: ['10.0.0.1', '192.0.2.2'],
      log: silent,
    })
    await vi.advanceTimersByTimeAsync(2_500)
    expect([looks.mock.calls.length, ensure.mock.calls.length]).toEqual([3, 0])
    addresses = [...addresses, '10.215.60.1']
    await vi.advanceTimersByTimeAsync(3_000)
    expect(ensure).toHaveBeenCalledTimes(2) // the first failed
    addresses = addresses.slice(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(ensure).toHaveBeenCalledTimes(3)
    await following.stop()
  } finally {
    vi.useRealTimers()
  }
})
