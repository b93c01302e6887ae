import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick } from './carrick.ts'

/** What a server without a container engine does not serve, it refuses in a sentence that names it, wherever others' runners are. */
describe('the stock fal command hears what is not served by processes:', () => {
  let carrick: Carrick
  beforeAll(async () => void (carrick = await Carrick.start({ CARRICK_BACKEND: 'process' })))
  afterAll(() => carrick[Symbol.asyncDispose]())

  test('environments of the kind "container"', async () => {
    const refusal = 'Images need a container engine, and this server runs processes: start it with --backend docker'
    await expect(carrick.deploy('container.py::Container', 'container')).rejects.toThrow(refusal)
  })
})
