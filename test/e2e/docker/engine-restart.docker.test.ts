import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OwnEngine } from '../../../packages/server/src/backends/docker/engine/own-engine.ts'
import { Carrick, root, until } from '../carrick.ts'

const canHave = existsSync('/usr/sbin/dockerd') && process.getuid?.() === 0
const requests = 80

let engine: OwnEngine | undefined
let carrick: Carrick

beforeAll(async () => {
  if (!canHave) return
  engine = await OwnEngine.start('carrick-test:node')
  carrick = await Carrick.start({ CARRICK_BACKEND: 'docker', DOCKER_HOST: engine.host, CARRICK_SHARED_FOLDERS: '' })
  const deployed = await carrick.falIn(join(root, 'test/e2e/apps/restarting'), ['deploy', 'restarting'])
  expect(deployed).toMatchObject({ code: 0 })
})
afterAll(async () => {
  await carrick?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

async function submit(body: string): Promise<string> {
  const answer = await carrick.ask('/queue/tester/restarting', { method: 'POST', body })
  return ((await answer.json()) as { request_id: string }).request_id
}

test.skipIf(!canHave).each(['SIGTERM', 'SIGKILL'] as const)(
  'an engine that stops under load and comes back loses no request, and each has one result (%s)',
  async (signal) => {
    const ids: string[] = []
    const load = (async () => {
      for (let number = 0; number < requests; number += 1) {
        ids.push(await submit(`${signal} ${number}`))
        await new Promise((wake) => setTimeout(wake, 50)) // the pace of the load, not a wait for anything
      }
    })()
    await until(async () => ids.length > requests / 4, 'some load')
    await engine?.stop(signal)
    await until(async () => ids.length > requests / 2, 'load without an engine')
    await engine?.begin()
    await load
    for (const [number, id] of ids.entries()) {
      const at = `/queue/tester/restarting/requests/${id}`
      await until(async () => (await carrick.ask(`${at}/status`)).status === 200, `the result of request ${number}`)
      const result = await carrick.ask(at)
      expect([result.status, await result.json()]).toMatchObject([200, { asked: `${signal} ${number}` }])
    }
  },
)

test.skipIf(!canHave)(
  'its runners that went with the engine are known to have ended, and nothing of them is left in it',
  async () => {
    if (engine === undefined) throw new Error('there is no engine')
    const { docker } = await engine.open()
    await until(async () => {
      const { runners } = (await (await carrick.ask('/v1/runners')).json()) as { runners: { runner_id: string }[] }
      const names = (await docker.listContainers({ all: true })).flatMap(({ Names }) => Names)
      return (
        names.toSorted().join() ===
        runners
          .map(({ runner_id: id }) => `/carrick-${id}`)
          .toSorted()
          .join()
      )
    }, 'the containers of the runners, and no others')
  },
)
