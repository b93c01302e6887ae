import { mayMount, smallDisk } from '../../packages/server/src/testing/small-disk.ts'
import type { Fault } from './faults.ts'
import { World } from './world.ts'

/** A world, and what it stands on. */
interface Standing extends AsyncDisposable {
  readonly world: World
}

const smallDiskMiB = 500

/** A world in which the fault can strike, or the reason why this machine has none. */
export async function makeWorld({
  smallDisk: onSmallDisk,
  needsShim,
}: Pick<Fault, 'smallDisk' | 'needsShim'>): Promise<Standing | string> {
  if (onSmallDisk && !mayMount()) return 'nobody may mount a disk here'
  await using disposables = new AsyncDisposableStack()
  const disk = onSmallDisk ? disposables.use(await smallDisk(smallDiskMiB)) : undefined
  const world = disposables.use(await World.make(disk?.path))
  if (needsShim && world.shim === undefined) return 'there is no C compiler'
  const kept = disposables.move()
  return { world, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}
