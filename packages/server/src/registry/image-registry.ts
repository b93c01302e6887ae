import type { Login } from './access.ts'

/**
 * A registry as the server's own engine uses it: the one that this server is, or the operator's. What is stored names
 * images without its host, `owner/name@sha256:…`, because a port may change.
 */
export interface ImageRegistry {
  /** By whom its images are named: `127.0.0.1:8700`, or what stands before the repositories of the operator's registry. */
  host(): string
  /** The repository of an owner's images of this name; without an owner one that is nobody's alone. Names are made to fit. */
  nameFor(owner: string | undefined, name: string): string
  /** How the engine names an image: `127.0.0.1:8700/owner/name@sha256:…` of `owner/name@sha256:…`. */
  referenceOf(stored: string): string
  /** What the engine needs to pull it or to push it; undefined for images of other registries. */
  authFor(reference: string): RegistryAuth | undefined
  /** Whether it is known to hold what was pushed; absent where only those who pull ask it. */
  readonly has?: (repository: string, digest: string) => Promise<boolean>
  /**
   * Pushes an image of the engine to a repository, and answers the digest that it has there. The engine knows it by that
   * from then on, and need not pull it. Rejects with `build_failed` and the registry's own words.
   */
  push(engine: PushEngine, image: string, repository: string, options: PushOptions): Promise<string>
}

/** As the Engine API takes it in `X-Registry-Auth`. */
export interface RegistryAuth extends Login {
  readonly serveraddress: string
}

export interface PushOptions {
  /** Called with each line of progress. */
  readonly onLine?: (line: string) => void
  readonly signal: AbortSignal
}

/** What pushing asks of an engine: dockerode's client is one. */
export interface PushEngine {
  getImage(name: string): {
    tag(options: { repo: string; tag: string; abortSignal?: AbortSignal }): Promise<unknown>
    push(options: {
      tag: string
      authconfig: object
      abortSignal?: AbortSignal
      tlsVerify?: string
    }): Promise<NodeJS.ReadableStream>
    inspect(): Promise<{ readonly RepoTags?: readonly string[]; readonly RepoDigests?: readonly string[] }>
    remove(): Promise<unknown>
  }
}
