import { truncateSync } from 'node:fs'
import { open, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mayMount, smallDisk } from '../../packages/server/src/testing/small-disk.ts'
import { Carrick, until } from './carrick.ts'

const json = { 'content-type': 'application/json' }

test.skipIf(!mayMount())(
  'a full disk refuses what it cannot store, keeps all it took, and goes on when there is room (needs root: a disk of its own)',
  async () => {
    await using disk = await smallDisk(400)
    await using carrick = await Carrick.start({ CARRICK_LOG_LEVEL: 'error' }, disk.path)
    await carrick.deploy('echo.py::Echo', 'echo')
    const submit = (text: string) =>
      carrick.ask('/queue/tester/echo', { method: 'POST', headers: json, body: JSON.stringify({ text }) })

    const ballast = join(disk.path, 'ballast')
    await fill(disk.path, ballast)
    const taken: string[] = []
    const refused: Response[] = []
    // Small bodies, until the room that the store has set aside for itself is used up as well.
    for (let sent = 0; sent < 2_000 && refused.length < 20; sent += 1) {
      const answer = await submit('x'.repeat(20_000))
      if (answer.status === 200) taken.push(((await answer.json()) as { request_id: string }).request_id)
      else refused.push(answer)
      await fill(disk.path, ballast)
    }
    const large = await submit('x'.repeat(200_000))
    for (const answer of [...refused, large]) {
      expect([answer.status, answer.headers.get('x-fal-error-type')]).toEqual([507, 'disk_full'])
      expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('disk is full') })
    }
    expect(refused).toHaveLength(20)
    expect(taken.length).toBeGreaterThan(0)
    await expect(carrick.deploy('echo.py::Echo', 'echo')).rejects.toThrow('disk is full')
    const scaled = await carrick.fal('apps', 'scale', 'echo', '--keep-alive', '7')
    expect([scaled.code, scaled.stdout + scaled.stderr]).toEqual([1, expect.stringContaining('disk is full')])
    expect((await carrick.ask('/readyz')).status).toBe(200)

    truncateSync(ballast)
    const outcomeOf = (id: string) => carrick.ask(`/queue/tester/echo/requests/${id}`)
    for (const id of taken) {
      await until(async () => (await outcomeOf(id)).status === 200, `the result of ${id}`)
    }
    expect((await submit('there is room')).status).toBe(200)
    await carrick.deploy('echo.py::Echo', 'echo')
    expect((await carrick.fal('apps', 'scale', 'echo', '--keep-alive', '7')).code).toBe(0)
  },
)

/** Makes a file of what is left on its disk. */
async function fill(disk: string, ballast: string): Promise<void> {
  await using file = await open(ballast, 'a')
  const { bavail, bsize } = await statfs(disk)
  await file.write(Buffer.alloc(bavail * bsize))
}
