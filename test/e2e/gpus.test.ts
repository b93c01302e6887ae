import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, onDocker } from './carrick.ts'

/** Containers get GPUs from the engine's own driver, and this machine's are made up. */
const named = (name: string) =>
  onDocker ? `${name}: not with containers, whose engine gives no GPU that is made up` : name

/** What runners hold, as the stock `fal` 1.83.0 counts it. */
describe.skipIf(onDocker)(named('GPUs in use'), () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start({ CARRICK_GPUS: 'H100,H100', CARRICK_MEMORY: String(2 ** 40) })
    await carrick.deploy('gpus.py::Painter', 'painter')
    await carrick.deploy('gpus.py::Clerk', 'clerk')
    await Promise.all([call('painter'), call('clerk')])
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const call = async (app: string) => {
    const headers = { 'content-type': 'application/json' }
    expect((await carrick.ask(`/tester/${app}`, { method: 'POST', body: '{}', headers })).status).toBe(200)
  }
  const gpus = async (...args: string[]) => {
    const { code, stdout, stderr } = await carrick.fal(...args, '--output', 'json')
    expect(code, stderr).toBe(0)
    return JSON.parse(stdout) as object
  }

  test('of one app are its runners times the GPUs of each', async () => {
    expect(await gpus('apps', 'gpus', 'painter')).toEqual({ gpus: { H100: 2 }, total: 2 })
  })

  test('of an app without any are none', async () => {
    expect(await gpus('apps', 'gpus', 'clerk')).toEqual({ gpus: {}, total: 0 })
  })

  test('of the account are those of all its apps, and go with the runners', async () => {
    expect(await gpus('runners', 'gpus')).toEqual({ gpus: { H100: 2 }, total: 2 })
    const { stdout } = await carrick.fal('apps', 'runners', 'painter', '--output', 'json')
    for (const { runner_id } of (JSON.parse(stdout) as { runners: { runner_id: string }[] }).runners) {
      await carrick.fal('runners', 'kill', runner_id)
    }
    await expect.poll(() => gpus('runners', 'gpus'), { timeout: 60_000 }).toEqual({ gpus: {}, total: 0 })
  })
})
