import { execFile } from 'node:child_process'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { RunnerId } from '../../../domain/ids.ts'
import type { Logger } from '../../../kit/logger.ts'
import { startLoop } from '../../../kit/loop.ts'
import type { Mount } from '../../backend.ts'
import { sizeOf } from './size.ts'

/** The folders of runners that go with them, on disk, and a watch over how much is in them. */
export interface Scratch {
  /**
   * Makes those of a runner below a folder of the machine that is its own, all of which counts. `volumes` are the paths that its
   * image wants to write to.
   */
  make(id: RunnerId, folder: string, volumes: readonly string[]): Promise<readonly Mount[]>
  /** The runner is gone, and what it wrote goes. */
  forget(id: RunnerId): Promise<void>
  /** Calls back, once a look, with one that holds more than it may, and a sentence for people. */
  onFull(listener: (id: RunnerId, sentence: string) => void): void
  close(): Promise<void>
}

export interface ScratchOptions {
  /** Most bytes of one runner. */
  readonly mostBytes: number
  readonly log: Logger
}

interface Watched {
  readonly folder: string
  dueAt: number
}

const everyMs = 1_000
/** A look that takes long is repeated later: looking is to take no more than this part of the time. */
const share = 1 / 50

export function openScratch({ mostBytes, log }: ScratchOptions): Scratch {
  const watched = new Map<RunnerId, Watched>()
  const listeners: ((id: RunnerId, sentence: string) => void)[] = []

  async function look(id: RunnerId, one: Watched, signal: AbortSignal): Promise<void> {
    const from = performance.now()
    if (one.dueAt > from) return
    const bytes = await sizeOf(one.folder, mostBytes, signal)
    const to = performance.now()
    one.dueAt = to + (to - from) / share
    if (bytes > mostBytes && watched.has(id)) listeners.forEach((tell) => tell(id, sentence(mostBytes)))
  }

  const loop = startLoop(
    async (signal) => {
      for (const [id, one] of watched) await look(id, one, signal)
    },
    { name: 'watch over what runners write', everyMs, log },
  )

  return {
    async make(id, folder, volumes) {
      const places = placesOf(folder, volumes)
      for (const { from } of places) {
        await mkdir(from, { recursive: true })
        await chmod(from, 0o1777) // whoever it is in there; the folder above is the server's alone
      }
      watched.set(id, { folder, dueAt: 0 })
      return places
    },
    async forget(id) {
      const folder = watched.get(id)?.folder
      watched.delete(id)
      // What is too deep for a path is taken away as well by this one.
      if (folder !== undefined) await promisify(execFile)('rm', ['-rf', '--', folder])
    },
    onFull: (listener) => void listeners.push(listener),
    close: () => loop.stop(),
  }
}

function placesOf(own: string, volumes: readonly string[]): readonly Mount[] {
  const inside = new Set(['/tmp', '/var/tmp', '/run', ...volumes])
  return [...inside].map((to, place) => ({ from: join(own, `scratch-${place}`), to, readOnly: false }))
}

const sentence = (mostBytes: number) =>
  `This runner wrote more than the ${(mostBytes / 2 ** 30).toFixed(1)} GiB that it may outside /data (CARRICK_SCRATCH_LIMIT), ` +
  'and was ended. Keep large files in /data, or delete those in /tmp that are no longer needed.'
