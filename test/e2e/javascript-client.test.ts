import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { Carrick, root } from './carrick.ts'

/** @fal-ai/client 1.10.1, unmodified, by `proxyUrl` alone. */
test('the official JavaScript client runs, subscribes, and uses the queue', async () => {
  await using carrick = await Carrick.start()
  await carrick.deploy('echo.py::Echo', 'echo')
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'test/e2e/clients/javascript.ts')], {
    env: { ...process.env, ...carrick.variables },
  })
  expect(JSON.parse(stdout)).toMatchObject({
    ran: { text: 'run' },
    subscribed: { text: 'subscribe' },
    streamed: { text: 'streamed status' },
    queued: { text: 'queue' },
    lines: expect.arrayContaining(['echoing subscribe']),
    requestIds: true,
    refusal: ['ValidationError', 422],
  })
})
