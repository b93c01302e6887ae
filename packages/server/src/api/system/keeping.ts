import type { EnvironmentId } from '../../domain/ids.ts'
import type { EnvironmentImage } from '../../store/environment-images.ts'
import type { Moment } from '../../kit/clock.ts'
import type { ImportedImage } from '../../store/imported-images.ts'

// What whoever keeps images, environments, caches and blobs is asked for by these operations.

/** Brings an image of the registry into the container engine, under the name that deploys have for it. */
export type KeepInEngine = (image: ImportedImage, signal: AbortSignal) => Promise<void>

/** What a container engine has under a name. */
export interface EngineImage {
  readonly id: string
  /** Unpacked, with what it shares with others. */
  readonly bytes: number
  readonly createdAt: Moment
}

/** The images of the container engine. */
export interface EngineImages {
  find(name: string): Promise<EngineImage | undefined>
  /** Takes the names away that an imported image has there. It goes with the last, unless a container has it. */
  forgetImported(image: ImportedImage): Promise<void>
  /** The same of an environment's. */
  forgetEnvironment(image: Pick<EnvironmentImage, 'tag' | 'pushed'>): Promise<void>
}

/** Something, or some things of one kind, that nobody needs. */
export interface Pruned {
  readonly kind: 'environment' | 'image' | 'blob' | 'cache' | 'container'
  /** As its folder, the engine or the store calls it; of many, what they have in common. */
  readonly name: string
  readonly count: number
  /** On the disk; what is shared with something that stays is counted too. Undefined where that is not known. */
  readonly bytes?: number | undefined
}

export interface PruneHow {
  /** Tells what would go and takes nothing away. */
  readonly dryRun: boolean
  /** Caches too, which make later builds faster. */
  readonly all: boolean
  /** What was asked for, or made, since then stays. */
  readonly before: Moment
  /** Those that an undeleted revision names or a live runner uses: they stay. */
  readonly environments: ReadonlySet<EnvironmentId>
  /** Blobs that a row names, by what their keys begin with: they stay. */
  readonly blobsUnder: (prefix: string) => Promise<ReadonlySet<string>>
  readonly signal: AbortSignal
}

/** Whoever keeps things that may be needed no more. */
export type Prune = (how: PruneHow) => Promise<readonly Pruned[]>
