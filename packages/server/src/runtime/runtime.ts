import type { RunnerBackend } from '../backends/backend.ts'
import type { EngineImages, KeepInEngine, Prune } from '../api/system/keeping.ts'
import type { Builder, UnneededEnvironment } from '../builder/builder.ts'
import type { ServerNames } from '../domain/addresses.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import type { Foundation } from '../foundation.ts'
import type { Ingress } from './ingress.ts'
import type { Moment } from '../kit/clock.ts'
import type { ImageRegistry } from '../registry/image-registry.ts'

/** What runners and answers have to know: the ports are open before the roles start. */
export interface Addresses {
  readonly names: ServerNames
  /** Where runners reach the platform. */
  readonly ingress: Ingress
}

/** Where runners run, and what makes the environments that they run in. */
export interface Runtime {
  readonly backend: RunnerBackend
  readonly builder: SweptBuilder
  /** Absent where there is no engine. */
  readonly keepInEngine?: KeepInEngine
  /** Likewise. */
  readonly engineImages?: EngineImages
  /** What is kept besides environments, and may be needed no more. */
  readonly leftovers: Prune
  /** The container engine that runs them, for people: its name and version. */
  readonly engine?: string
}

/** A builder whose environments go when nothing names them. */
export interface SweptBuilder extends Builder {
  /** Takes away what nothing names, and nobody asked for since then. Answers how many environments. */
  sweep(named: ReadonlySet<EnvironmentId>, before: Moment): Promise<number>
  /** What `sweep` would take away now. */
  unneeded(
    named: ReadonlySet<EnvironmentId>,
    before: Moment,
    signal: AbortSignal,
  ): Promise<readonly UnneededEnvironment[]>
  /** Gives up what is being built. */
  close(): Promise<void>
}

/** What a runtime has to know besides: by whom images are named, pushed and pulled. */
export interface Surroundings extends Addresses {
  readonly registry: ImageRegistry
}

export type OpenRuntime = (
  foundation: Foundation,
  addresses: Surroundings,
  closing: AsyncDisposableStack,
) => Promise<Runtime>
