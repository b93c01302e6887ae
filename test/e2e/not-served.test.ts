import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick } from './carrick.ts'

/** What this version does not serve, it refuses in a sentence that names it. */
describe('the stock fal command hears what is not served yet:', () => {
  let carrick: Carrick
  beforeAll(async () => void (carrick = await Carrick.start()))
  afterAll(() => carrick[Symbol.asyncDispose]())

  test.each([['DeleteApplication', 'apps delete-rev 01900000-0000-7000-8000-000000000000']])(
    '%s, asked for by `fal %s`',
    async (name, command) => {
      const refused = await carrick.fal(...command.split(' '))
      expect(refused.code).toBe(1)
      expect(refused.stdout + refused.stderr).toContain(`This server does not serve ${name} yet`)
    },
  )

  test.each([
    ['container', 'container.py::Container'],
    ['conda', 'conda.py::never'],
  ])('environments of the kind "%s"', async (kind, app) => {
    await expect(carrick.deploy(app, kind)).rejects.toThrow(`does not build environments of the kind "${kind}" yet`)
  })
})
