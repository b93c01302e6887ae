import type Docker from 'dockerode'
import type { BlobStore } from '../../blobs/blob-store.ts'
import type { AccountId } from '../../domain/ids.ts'
import type { SecretValues } from '../../domain/secret.ts'
import type { EnvironmentImage } from '../../store/environment-images.ts'
import type { RegistryCredentials } from '../builder.ts'
import { type FoundImage } from './pulls.ts'
import type { Push } from './push.ts'
import type { WayToBuild } from './ways-to-build.ts'

export interface ImageMakerParts {
  readonly engine: Docker
  readonly way: WayToBuild
  readonly installation: string
  /** Folder of `install.py` and `describe.py`. */
  readonly programs: string
  readonly toolsFolder: string
  /** Index, proxy and uv settings, as the folder builder has them. */
  readonly variables: Readonly<Record<string, string>>
  readonly blobs: Pick<BlobStore, 'pathOf'>
  /** What virtualenv and conda go on; `{version}` in it is the minor version of Python. */
  readonly baseImage: string
  readonly push: Push | undefined
  /** This server's own addresses, as `host:port`: what authors uploaded is fetched from there by the server. */
  readonly hosts: () => readonly string[]
  /** By whom the platform's own base is pulled. */
  readonly registries: Readonly<Record<string, RegistryCredentials>>
  readonly fingerprint: (value: string) => string
}

export interface MakeOptions {
  readonly accountId?: AccountId
  readonly force: boolean
  readonly secrets: SecretValues
  readonly buildSecrets: SecretValues
  readonly registries: Readonly<Record<string, RegistryCredentials>>
  /** What the definition's reference means, found out before. */
  readonly found?: FoundImage
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

/** What one build made: it counts when it is kept. */
export interface Made {
  readonly image: EnvironmentImage
  readonly sbom: string
}
