import type { IncomingMessage, ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import type { Keyring } from '../access/keyring.ts'
import type { PieceBlobs } from '../blobs/blob-store.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { startLoop } from '../kit/loop.ts'
import { manifestAt } from '../store/registry.ts'
import type { Store } from '../store/store.ts'
import { createAccess, type Login } from './access.ts'
import { createDoor } from './door.ts'
import type { ImageRegistry } from './image-registry.ts'
import { namedBy } from './names.ts'
import { pushImage } from './push.ts'
import { requireRoom } from './room.ts'
import { sweepImages, type SweptImages } from './sweep.ts'
import type { UploadLimits } from './upload.ts'
import { Uploads } from './uploads.ts'

/** The registry that this server is. */
export interface Registry extends ImageRegistry {
  /** Answers requests below `/v2/`; `false` for all others. */
  readonly handle: (req: IncomingMessage, res: ServerResponse) => boolean
  /** By which this server's own engine logs in. It is made anew at each start, and written nowhere. */
  internalAuth(): Login
  /** What went since the start because nothing led to it. */
  swept(): SweptImages
  /** Ends uploads to which nothing has come for long. It happens by itself every minute. */
  expireUploads(): Promise<void>
  /** Ends uploads that are under way. */
  close(): Promise<void>
}

export interface RegistryOptions {
  readonly store: Store
  readonly blobs: PieceBlobs
  readonly keyring: Pick<Keyring, 'identify' | 'holderOf'>
  readonly clock: Clock
  readonly log: Logger
  /** By whom the engine of this machine reaches the port: `127.0.0.1:8700`. */
  readonly host: string
  readonly limits: Pick<UploadLimits, 'blobBytes'> & { readonly keepFree: number }
  readonly graceMs: number
  readonly accepting: () => boolean
  readonly pinned?: (digests: readonly string[]) => Promise<ReadonlySet<string>>
}

const uploadLimits = { openUploads: 100, idleMs: 60 * 60_000 }
const expiryEveryMs = 60_000
const sweepEveryMs = 60 * 60_000

/** Opens the registry on the store and the blobs that the rest of the server has. */
export function createRegistry(options: RegistryOptions): Registry {
  const { blobs, clock, log, host, limits, pinned = nothingPinned } = options
  const access = createAccess(options.keyring)
  const room = () => requireRoom(dirname(blobs.draftPath()), limits.keepFree)
  const uploads = new Uploads({
    blobs,
    clock,
    limits: { ...uploadLimits, blobBytes: limits.blobBytes },
    requireRoom: room,
  })
  const expiry = startLoop(() => uploads.expire(), { name: 'upload expiry', everyMs: expiryEveryMs, log })
  const parts = { ...options, pinned, uploads, access }
  let gone: SweptImages = { manifests: 0, blobs: 0 }
  const pass = async (signal: AbortSignal) => {
    const went = await sweepImages(parts, signal)
    gone = { manifests: gone.manifests + went.manifests, blobs: gone.blobs + went.blobs }
  }
  const sweep = startLoop(pass, { name: 'image sweep', everyMs: Math.min(sweepEveryMs, options.graceMs / 4), log })
  const naming = namedBy(host, () => access.own)
  return {
    ...naming,
    handle: createDoor(parts),
    internalAuth: () => access.own,
    push(engine, image, repository, push) {
      const name = naming.referenceOf(repository)
      return pushImage(engine, image, { ...push, name, auth: naming.authFor(name) })
    },
    has: async (repository, digest) => (await options.store.read(manifestAt(repository, digest))) !== undefined,
    swept: () => gone,
    expireUploads: () => uploads.expire(),
    async close() {
      await Promise.all([expiry.stop(), sweep.stop()])
      await uploads.close()
    },
  }
}

const nothingPinned = async () => new Set<string>()
