import { mayMount, smallDisk } from '../../packages/server/src/testing/small-disk.ts'
import { bundleServer, type BundledServer } from './bundled-server.ts'
import type { Fault } from './faults.ts'
import { World } from './world.ts'

type Needs = Pick<Fault, 'smallDisk' | 'needsShim'>

const smallDiskMiB = 500

/** One world on an ordinary disk and one on a small disk, each made when it is first asked for and kept. */
export class Worlds implements AsyncDisposable {
  readonly #standing = new Map<boolean, AsyncDisposableStack & { world?: World }>()
  #server: Promise<BundledServer> | undefined

  /** A world in which the fault can strike, or the reason why this machine has none. */
  async for({ smallDisk: isSmall = false, needsShim = false }: Needs): Promise<World | string> {
    if (isSmall && !mayMount()) return 'nobody may mount a disk here'
    const world = this.#standing.get(isSmall)?.world ?? (await this.#make(isSmall))
    return needsShim && world.shim === undefined ? 'there is no C compiler' : world
  }

  /** Ends the fault's world: the next one begins anew. */
  async drop({ smallDisk: isSmall = false }: Needs): Promise<void> {
    const standing = this.#standing.get(isSmall)
    this.#standing.delete(isSmall)
    await standing?.disposeAsync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const isSmall of [true, false]) await this.drop({ smallDisk: isSmall })
    const server = await this.#server
    await server?.[Symbol.asyncDispose]()
  }

  async #make(isSmall: boolean): Promise<World> {
    const standing: AsyncDisposableStack & { world?: World } = new AsyncDisposableStack()
    this.#standing.set(isSmall, standing)
    const { program } = await (this.#server ??= bundleServer())
    const disk = isSmall ? standing.use(await smallDisk(smallDiskMiB)) : undefined
    return (standing.world = standing.use(await World.make({ program, disk: disk?.path })))
  }
}
