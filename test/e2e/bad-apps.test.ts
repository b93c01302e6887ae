import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick } from './carrick.ts'

/** What is wrong with an app reaches the person who deployed it, and the old revision keeps serving. */
describe('deploying what cannot work', () => {
  let carrick: Carrick
  let good: string
  beforeAll(async () => {
    carrick = await Carrick.start()
    good = await carrick.deploy('echo.py::Echo', 'echo')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const serving = () =>
    carrick.python<string>('import fal_client, json; print(json.dumps(fal_client.run("tester/echo", {})["revision"]))')

  test('a raising setup() ends the deploy with its traceback, and the old revision keeps serving', async () => {
    await expect(carrick.deploy('broken_setup.py::Echo', 'echo')).rejects.toThrow('the weights are missing')
    expect(await serving()).toBe(good)
  })

  test('a missing module is named', async () => {
    await expect(carrick.deploy('missing_import.py::Missing', 'missing')).rejects.toThrow('a_module_that_is_not_there')
    expect((await carrick.fal('apps', 'list', '--json')).stdout, 'a failed first deploy leaves no app').not.toContain(
      'missing',
    )
  })

  test('an impossible requirement is answered in the resolver’s words', async () => {
    await expect(carrick.deploy('impossible.py::Impossible', 'impossible')).rejects.toThrow(/idna==999\.0/)
  })

  test('a name that no URL could hold is refused', async () => {
    await expect(carrick.deploy('echo.py::Echo', 'Not_A_Name')).rejects.toThrow(/name/i)
  })

  test('of two deploys at once one wins and the app serves it', async () => {
    const deploys = await Promise.allSettled([
      carrick.deploy('echo.py::Echo', 'echo'),
      carrick.deploy('echo.py::Echo', 'echo'),
    ])
    const won = deploys.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    expect(won.length).toBeGreaterThan(0)
    expect(won).toContain(await serving())
  })
})
