import { expect, test, vi } from 'vitest'
import { patientDoor } from './patient-door.ts'

/** Opens from so many tries on. */
function doorFrom(tries: number) {
  const seen = { tries: 0, open: 0 }
  const open = async () => {
    seen.tries += 1
    if (seen.tries < tries) throw new Error('no such address yet')
    seen.open += 1
    return { [Symbol.asyncDispose]: async () => void (seen.open -= 1) }
  }
  return { seen, open, failed: () => expect.unreachable() }
}

test.each([1, 3])('a door that opens at try %i is open until it is let go of', async (tries) => {
  const { seen, ...how } = doorFrom(tries)
  const door = await patientDoor(how)
  await vi.waitFor(() => expect(seen).toEqual({ tries, open: 1 }), { timeout: 60_000 })
  await door[Symbol.asyncDispose]()
  expect(seen.open).toBe(0)
})

test('one that is let go of before it opened is tried no more', async () => {
  const { seen, ...how } = doorFrom(Infinity)
  const door = await patientDoor(how)
  await door[Symbol.asyncDispose]()
  const { tries } = seen
  await new Promise((resolve) => setImmediate(resolve))
  expect(seen).toEqual({ tries, open: 0 })
})
