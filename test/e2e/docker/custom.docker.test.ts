import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, root } from '../carrick.ts'
import { byRunner, waysToCall } from '../own-server.ts'

/** Images with servers of their own, and functions on a port of their own choice, deployed by the stock `fal`. */
let carrick: Carrick
beforeAll(async () => {
  carrick = await Carrick.start({ CARRICK_SHARED_FOLDERS: '' })
})
afterAll(() => carrick[Symbol.asyncDispose]())

/** Deploys an app of `test/e2e/apps/strange/pyproject.toml`. */
async function deploy(name: string): Promise<string> {
  const { code, stdout, stderr } = await carrick.falIn(join(root, 'test/e2e/apps/strange'), ['deploy', name])
  return `${code} ${stdout} ${stderr}`
}

describe('an image that serves by itself', () => {
  beforeAll(async () => expect(await deploy('strange')).toMatch(/^0 .*Deployed successfully/s))

  test('binds 8080 in each of its runners', async () => {
    expect((await byRunner(carrick, '/tester/strange', 2)).size).toBe(2)
  })

  test.each(Object.entries(waysToCall))('%s', (_, way) => way(carrick, '/tester/strange'))

  test('runs as the image says, and finds in its environment what the platform tells runners', async () => {
    const [[runner, told] = []] = await byRunner(carrick, '/tester/strange', 1)
    expect(told?.arguments).toEqual(['0.0.0.0', '8080'])
    expect(told?.variables).toMatchObject({
      OF_THE_IMAGE: 'yes',
      PORT: '8080',
      FAL_KEY: expect.stringMatching(/^[^:]+:[^:]+$/),
      FAL_APP_NAME: 'tester/strange',
      FAL_USER_NICKNAME: 'tester',
      FAL_JOB_ID: runner,
      FAL_HOST: expect.stringContaining(':'),
      FAL_RUN_HOST: expect.stringContaining(':'),
      HF_HOME: '/data/.cache/huggingface',
    })
    expect(told?.variables['PATH']).toContain('/usr/bin')
    expect(told?.variables).not.toHaveProperty('IS_ISOLATE_AGENT')
  })

  test('is asked for its health by GET, for its document once, and for nothing else', async () => {
    const [[, told] = []] = await byRunner(carrick, '/tester/strange', 1)
    const unasked = new Set(told?.asked.filter((each) => /healthz|openapi|cancel/.test(each)))
    expect([...unasked].filter((each) => each !== 'GET /openapi.json')).toEqual(['GET /healthz'])
  })
})

test('ENTRYPOINT and CMD are those of the deploy where it names some, and so is the port', async () => {
  expect(await deploy('overridden')).toMatch(/^0 /)
  const [[, told] = []] = await byRunner(carrick, '/tester/overridden', 1)
  expect(told?.arguments).toEqual(['mine', '0.0.0.0', '9123'])
  expect(told?.variables['PORT']).toBe('9123')
})

describe('an image that cannot be called', () => {
  let said: ReadonlyMap<string, string>
  beforeAll(async () => {
    const names = ['lonely', 'elsewhere', 'ill']
    said = new Map(await Promise.all(names.map(async (name) => [name, await deploy(name)] as const)))
  })

  test.each([
    ['lonely', /listened on 127\.0\.0\.1:8080 only, where no call can reach it: let it bind 0\.0\.0\.0/],
    ['elsewhere', /listened on port 8080 \(exposed_port\).* It listened on 0\.0\.0\.0:5017/],
    ['ill', /health check POST \/healthz did not pass before startup_timeout.* it answered 405/],
  ])('%s is not deployed, and is told why behind its last words', (name, why) => {
    const told = said.get(name) ?? ''
    expect(told).toMatch(/^1 /)
    expect(told).toMatch(/was not ready within 20 s \(startup_timeout\)\. Its last words:[^]*listens on /)
    expect(told.replaceAll(/\s+/g, ' ')).toMatch(why)
  })
})

describe('a function that begins a server on port 8080', () => {
  beforeAll(async () => void (await carrick.deploy('own_port.py::serve', 'fixed')))

  test('has as many runners as it wants', async () => {
    expect((await byRunner(carrick, '/tester/fixed', 2)).size).toBe(2)
  })

  test.each(Object.entries(waysToCall))('%s', (_, way) => way(carrick, '/tester/fixed'))
})
