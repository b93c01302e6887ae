import { constants } from 'node:fs'
import { open, readlink, type FileHandle } from 'node:fs/promises'
import { relative } from 'node:path'
import type { MountSettings } from 'dockerode'
import type { RunnerId } from '../../../domain/ids.ts'
import type { Mount } from '../../backend.ts'

/**
 * Folders that runners may put others, or links, in the place of while a container is made: the engine goes to a path at the
 * very end, and follows what it finds. Each is opened step by step without following a link, and held open until the
 * container runs. The engine comes to it by way of this process.
 */
export interface PinnedFolders {
  /** Opens those of the mounts that need it, by where they are in the container. Throws where a link is on the way. */
  hold(id: RunnerId, mounts: readonly Mount[]): Promise<ReadonlyMap<string, FileHandle>>
  /** The container runs, or never will. */
  release(id: RunnerId): Promise<void>
}

export function createPinnedFolders(): PinnedFolders {
  const held = new Map<RunnerId, readonly FileHandle[]>()
  async function release(id: RunnerId): Promise<void> {
    const folders = held.get(id) ?? []
    held.delete(id)
    await Promise.all(folders.map((folder) => folder.close()))
  }
  return {
    async hold(id, mounts) {
      const endangered = mounts.filter(({ within }) => within !== undefined)
      if (endangered.length > 0) await requireSharedProcesses()
      const found = await Promise.allSettled(
        endangered.map(async (mount) => [mount.to, await openStepwise(mount)] as const),
      )
      const pinned = new Map(found.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])))
      await release(id) // of a former attempt
      held.set(id, [...pinned.values()])
      const failed = found.find((each) => each.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      return pinned
    },
    release,
  }
}

const toFolder = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

async function openStepwise({ from, to, within = '/' }: Mount): Promise<FileHandle> {
  let folder = await open(within, toFolder)
  for (const name of relative(within, from).split('/')) {
    const above = folder
    try {
      if (name === '..') throw new Error(`${from} is not in ${within}`)
      folder = await open(`/proc/self/fd/${above.fd}/${name}`, toFolder)
    } catch (error) {
      throw isLink(error) ? new Error(`${to} is a link, or leads through one: it has to be a folder`) : error
    } finally {
      await above.close()
    }
  }
  return folder
}

const isLink = (error: unknown) =>
  error instanceof Error && 'code' in error && (error.code === 'ELOOP' || error.code === 'ENOTDIR')

/** What the kernel calls the namespace of processes that the machine began with (PROC_PID_INIT_INO). */
const firstProcesses = 'pid:[4026531836]'

/** The engine is believed to be where the machine's own processes are: by another's number it would come to another's folder. */
async function requireSharedProcesses(): Promise<void> {
  if ((await readlink('/proc/self/ns/pid')) === firstProcesses) return
  throw new Error(
    'data_mounts need a server that sees the processes of the machine: start it outside of a container, or with those of its host',
  )
}

/** A mount of what is held open. The engine mounts it when the container begins, and it goes with that. */
export function pinnedMount({ to, readOnly }: Mount, folder: FileHandle): MountSettings {
  const Options = { type: 'none', o: 'bind', device: `/proc/${process.pid}/fd/${folder.fd}` }
  return {
    Type: 'volume',
    Source: '',
    Target: to,
    ReadOnly: readOnly,
    VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: 'local', Options } },
  }
}
