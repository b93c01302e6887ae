import { createHash } from 'node:crypto'
import type { AccountId } from '../../../domain/ids.ts'

/** Who a runner is in its container, and who has to own what it writes to. */
export interface RunnerUser {
  /** As the engine takes it. Absent: whom the image names. */
  readonly user?: string
  /** Groups besides its own. */
  readonly groups: readonly string[]
  /** Whose the folders are that it writes to; absent where they are its own already. */
  readonly owner?: { readonly uid: number; readonly gid: number }
}

export interface UserParts {
  readonly accountId: AccountId
  /** The USER of the image; empty where that is root. */
  readonly imageUser: string
  readonly server: { readonly uid: number; readonly gid: number }
  /** Whether the engine runs as an ordinary user, whose root is that user outside. */
  readonly rootless: boolean
}

/** A range that neither people, services nor namespaces are given (systemd.io/UIDS-GIDS). */
const firstUid = 0x70_00_00_00

/**
 * No runner is root outside its container. A server that is root gives each account an id of its own, and leaves an image
 * that names a user with that one; any other server can give away nothing of its own, so its runners are its user. With
 * group 0 they read what images hold for root's group alone.
 */
export function userOf({ accountId, imageUser, server, rootless }: UserParts): RunnerUser {
  if (rootless) return { user: '0:0', groups: [] }
  if (server.uid !== 0) return { user: `${server.uid}:${server.gid}`, groups: ['0'] }
  const id = firstUid + createHash('sha256').update(accountId).digest().readUIntBE(0, 3)
  const owner = { uid: id, gid: id }
  return imageUser === '' ? { user: `${id}:${id}`, groups: ['0'], owner } : { groups: [`${id}`], owner }
}
