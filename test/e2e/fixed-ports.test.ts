import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, onDocker } from './carrick.ts'
import { byRunner, waysToCall } from './own-server.ts'

const named = (name: string) => (onDocker ? `${name}: with containers in docker/custom.docker.test.ts` : name)

/** `@fal.function(exposed_port=8080)`, deployed by the stock `fal`: each of its runners binds 8080. */
describe.skipIf(onDocker)(named('an app that binds a port of its own choice'), () => {
  let carrick: Carrick
  let shared: string | undefined
  beforeAll(async () => {
    carrick = await Carrick.start()
    const { confinement } = JSON.parse((await carrick.carrick('status', '--json')).stdout) as {
      confinement: { part: string; by: string | null; why?: string }[]
    }
    const network = confinement.find(({ part }) => part === 'network')
    shared = network?.by ? undefined : (network?.why ?? 'nothing is told of it')
    await carrick.deploy('own_port.py::serve', 'fixed')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  test('has as many runners as it wants, each called at its own', async ({ skip }) => {
    skip(shared !== undefined, `runners share the machine's network: ${shared}`)
    const seen = await byRunner(carrick, '/tester/fixed', 2)
    for (const { variables } of seen.values()) expect(variables['PORT']).not.toBe('8080')
  })

  test.each(Object.entries(waysToCall))('%s', (_, way) => way(carrick, '/tester/fixed'))
})

test.skipIf(onDocker)(
  onDocker
    ? 'where runners share the network: not with containers, which never do'
    : 'where runners share the network one of them has the port, and the deploy says that it is the only one',
  async () => {
    await using carrick = await Carrick.start({ CARRICK_ISOLATION: 'never' })
    const file = 'test/e2e/apps/own_port.py::serve'
    const { code, stdout, stderr } = await carrick.fal('deploy', file, '--app-name', 'fixed')
    expect([code, stdout + stderr]).toEqual([
      0,
      expect.stringMatching(
        /binds port 8080 by itself, .* only one runner of it can serve at a time\. Set max_concurrency to 1/,
      ),
    ])
    expect((await byRunner(carrick, '/tester/fixed', 1)).size).toBe(1)
  },
)
