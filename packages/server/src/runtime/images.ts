import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Config } from '../config.ts'
import type { ServerNames } from '../domain/addresses.ts'
import type { Foundation } from '../foundation.ts'
import { keptDigests } from './pushed-images.ts'
import { externalRegistry } from '../registry/external.ts'
import { createRegistry } from '../registry/registry.ts'
import type { ImageRegistry } from '../registry/image-registry.ts'

/** The registry that this server is, and the one that its engine pushes to and pulls from. */
export interface Images {
  readonly registry: ImageRegistry
  /** Answers requests below `/v2/`; `false` for all others. */
  readonly handle: (req: IncomingMessage, res: ServerResponse) => boolean
}

/** Opens the registry at `/v2/`; `closing` ends what is under way there. */
export function openImages(
  foundation: Foundation,
  names: ServerNames,
  accepting: () => boolean,
  closing: AsyncDisposableStack,
): Images {
  const { config } = foundation
  const ours = createRegistry({
    ...foundation,
    host: engineHost(config.CARRICK_HOST, names.port),
    limits: { blobBytes: config.CARRICK_IMAGE_BLOB_LIMIT, keepFree: config.CARRICK_KEEP_FREE },
    graceMs: config.CARRICK_IMAGE_GRACE_HOURS * hourMs,
    accepting,
    pinned: (digests) => keptDigests(foundation, digests),
  })
  closing.defer(() => ours.close())
  return { registry: operators(config) ?? ours, handle: ours.handle }
}

/** Undefined where the operator has none. */
function operators(config: Config): ImageRegistry | undefined {
  const { CARRICK_REGISTRY: address, CARRICK_REGISTRY_USERNAME: username, CARRICK_REGISTRY_PASSWORD: password } = config
  return address === '' ? undefined : externalRegistry({ address, login: { username, password } })
}

const hourMs = 60 * 60_000

/** How an engine of this machine reaches the port: by loopback, which it trusts without a certificate, where that is listened on. */
function engineHost(listening: string, port: number): string {
  if (listening === '::1') return `[::1]:${port}`
  const isEverywhere = listening === '0.0.0.0' || listening === '::' || listening === 'localhost'
  return `${isEverywhere ? '127.0.0.1' : listening.includes(':') ? `[${listening}]` : listening}:${port}`
}
