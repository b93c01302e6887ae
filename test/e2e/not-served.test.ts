import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick } from './carrick.ts'

/** What this version does not serve, it refuses in a sentence that names it. */
describe('the stock fal command hears what is not served yet:', () => {
  let carrick: Carrick
  beforeAll(async () => void (carrick = await Carrick.start()))
  afterAll(() => carrick[Symbol.asyncDispose]())

  test.each([['container', 'container.py::Container']])('environments of the kind "%s"', async (kind, app) => {
    await expect(carrick.deploy(app, kind)).rejects.toThrow(`does not build environments of the kind "${kind}" yet`)
  })
})
