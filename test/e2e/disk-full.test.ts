import { truncateSync } from 'node:fs'
import { open, statfs, writeFile } from 'node:fs/promises'
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
    await carrick.deploy('gate.py::Gate', 'gate')
    const gate = join(carrick.shared, 'gate')
    const ballast = join(disk.path, 'ballast')
    const submit = (padding: number) => {
      const body = JSON.stringify({ file: gate, padding: 'x'.repeat(padding) })
      return carrick.ask('/queue/tester/gate', { method: 'POST', headers: json, body })
    }
    const taken: string[] = []
    const refused: Response[] = []
    const keep = async (answer: Response) => {
      if (answer.status === 200) taken.push(((await answer.json()) as { request_id: string }).request_id)
      else refused.push(answer)
    }
    for (let sent = 0; sent < 12; sent += 1) await keep(await submit(0)) // more than run at a time
    expect(taken).toHaveLength(12)

    // The store may have some room set aside for itself: that is used up too.
    for (let sent = 0; sent < 1_000 && refused.length < 20; sent += 1) {
      await fill(disk.path, ballast)
      await keep(await submit(20_000))
    }
    expect(refused).toHaveLength(20)
    await keep(await submit(200_000)) // too large to stand in the store itself
    for (const answer of refused) {
      expect([answer.status, answer.headers.get('x-fal-error-type')]).toEqual([507, 'disk_full'])
      expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('disk is full') })
    }
    await expect(carrick.deploy('gate.py::Gate', 'gate')).rejects.toThrow('disk is full')
    const scaled = await carrick.fal('apps', 'scale', 'gate', '--keep-alive', '7')
    expect([scaled.code, scaled.stdout + scaled.stderr]).toEqual([1, expect.stringContaining('disk is full')])

    // What ends now has no room for its outcome either: nobody is told of it before it is stored.
    await writeFile(gate, '')
    const requests = '/queue/tester/gate/requests'
    expect(await (await carrick.ask(`${requests}/${taken[0]}/status`)).json()).not.toMatchObject({
      status: 'COMPLETED',
    })
    expect((await carrick.ask('/readyz')).status).toBe(200)

    truncateSync(ballast)
    for (const id of taken) {
      await until(async () => (await carrick.ask(`${requests}/${id}`)).status === 200, `the result of ${id}`)
      expect(await (await carrick.ask(`${requests}/${id}`)).json()).toEqual({ attempt: '1' })
    }
    expect((await submit(200_000)).status).toBe(200)
    await carrick.deploy('gate.py::Gate', 'gate')
    expect((await carrick.fal('apps', 'scale', 'gate', '--keep-alive', '7')).code).toBe(0)
  },
)

/** Makes a file of all that is left on a disk. */
async function fill(disk: string, ballast: string): Promise<void> {
  await using file = await open(ballast, 'a')
  const { bavail, bsize } = await statfs(disk)
  await file.write(Buffer.alloc(bavail * bsize))
}
