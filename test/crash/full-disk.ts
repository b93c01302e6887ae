import { open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import type { Chance } from './chance.ts'
import type { World } from './world.ts'

/** Takes all room from the disk for a while. It struck when clients were refused meanwhile. */
export async function fullDisk(world: World, chance: Chance): Promise<boolean> {
  if (!world.server.isUp) await world.up()
  const ballast = join(world.folder, '..', 'ballast')
  const refusedBefore = world.clients.count('refused')
  const until = performance.now() + chance.between(200, 800)
  while (performance.now() < until) {
    await fill(ballast) // the store gives room back, and takes it again
    await rest(20)
  }
  const struck = world.clients.count('refused') > refusedBefore
  const killed = chance.next() < 0.5
  if (killed) await world.server.down()
  await rm(ballast)
  if (killed) await world.up()
  return struck
}

/** Makes a file of all that is left. */
async function fill(ballast: string): Promise<void> {
  await using file = await open(ballast, 'a')
  const { bavail, bsize } = await statfs(ballast)
  if (bavail > 0) await file.write(Buffer.alloc(bavail * bsize)).catch(() => {}) // somebody else was faster
}
