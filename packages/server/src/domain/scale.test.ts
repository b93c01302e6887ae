import { describe, expect, test } from 'vitest'
import {
  changedScale,
  scaleForDeploy,
  scaleForSetRev,
  scaleInCode,
  serverDefaults,
  type ScaleChanges,
} from './scale.ts'

describe('what the code says', () => {
  test('has the server’s defaults for the rest', () => {
    expect(scaleInCode({})).toEqual(serverDefaults)
    expect(scaleInCode({ keep_alive: 60, min_concurrency: undefined })).toEqual({ ...serverDefaults, keep_alive: 60 })
  })

  test('a floor above the default cap lifts the cap, one above its own cap is refused', () => {
    expect(scaleInCode({ min_concurrency: 5 }).max_concurrency).toBe(5)
    expect(() => scaleInCode({ min_concurrency: 5, max_concurrency: 4 })).toThrow('min_concurrency (5) is above')
  })
})

test.each<[ScaleChanges, string]>([
  [{ keep_alive: -1 }, 'keep_alive is -1, but must be a whole number of 0 or more'],
  [{ max_concurrency: 0 }, 'max_concurrency is 0, but must be a whole number of 1 or more'],
  [{ max_multiplexing: 1_001 }, 'max_multiplexing is 1001, but must be a whole number from 1 to 1000'],
  [{ concurrency_buffer_perc: 1_001 }, 'concurrency_buffer_perc'],
  [{ request_timeout: 86_401 }, 'request_timeout'],
  [{ startup_timeout: 7_201 }, 'startup_timeout'],
  [{ scaling_delay: 0.5 }, 'scaling_delay'],
  [{ machine_types: [] }, 'machine_types'],
])('%o is refused in a sentence', (changes, sentence) => {
  expect(() => changedScale(serverDefaults, changes)).toThrow(sentence)
})

test('a start timeout of 0 takes the limit away', () => {
  const limited = changedScale(serverDefaults, { request_start_timeout: 5 })
  expect(limited.request_start_timeout).toBe(5)
  expect(changedScale(limited, { request_start_timeout: 0 })).toEqual(serverDefaults)
})

describe('which value counts', () => {
  const tuned = { keep_alive: 300, min_concurrency: 5, max_concurrency: 9, concurrency_buffer: 1, scaling_delay: 2 }
  const live = changedScale(serverDefaults, { ...tuned, request_timeout: 7, max_multiplexing: 3, startup_timeout: 8 })
  const ofCode = { max_multiplexing: 4, startup_timeout: 30, machine_types: ['S'] }
  const code = changedScale(serverDefaults, { keep_alive: 60, min_concurrency: 1, ...ofCode })

  test('a first deploy takes everything from the code', () => {
    expect(scaleForDeploy(undefined, code, false)).toEqual(code)
  })

  test('a deploy keeps what was tuned and takes the rest from the code', () => {
    expect(scaleForDeploy(live, code, false)).toEqual({ ...live, ...ofCode })
  })

  test('a deploy that resets takes everything from the code', () => {
    expect(scaleForDeploy(live, code, true)).toEqual(code)
  })

  test('another revision brings its own code values only', () => {
    expect(scaleForSetRev(live, code)).toEqual({ ...live, ...ofCode })
  })
})
