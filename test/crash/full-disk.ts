import { open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import type { Chance } from './chance.ts'
import type { World } from './world.ts'

/** Takes all room from the disk for a while. It struck when clients were refused meanwhile. */
export async function fullDisk(world: World, chance: Chance): Promise<boolean> {
  if (!(await world.stands())) return false
  const ballast = join(world.folder, '..', 'ballast')
  const refusedBefore = world.clients.count('refused')
  const isRefusing = () => world.clients.count('refused') > refusedBefore
  const giveUp = performance.now() + patienceMs
  while (!isRefusing() && performance.now() < giveUp) await fill(ballast) // the store had some room set aside
  const struck = isRefusing()
  const until = performance.now() + chance.between(0, 500)
  while (performance.now() < until) await fill(ballast)
  const killed = chance.next() < 0.5
  if (killed) await world.server.down()
  await rm(ballast)
  if (killed) await world.up()
  return struck
}

const patienceMs = 10_000

/** Makes a file of all that is left. */
async function fill(ballast: string): Promise<void> {
  await rest(20)
  await using file = await open(ballast, 'a')
  const { bavail, bsize } = await statfs(ballast)
  if (bavail > 0) await file.write(Buffer.alloc(bavail * bsize)).catch(() => {}) // somebody else was faster
}
