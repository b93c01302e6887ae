import type Docker from 'dockerode'
import { isPodman } from '../../backends/docker/engine/podman.ts'
import { buildWithBuildah } from './buildah-build.ts'
import { mountsFiles, withOwnCaches } from './buildah-caches.ts'
import { endMembers, groupsOf, hasMembers } from './buildah-members.ts'
import { buildWithEngine, type EngineBuild } from './engine-build.ts'

/** A Dockerfile as an engine is to have it. */
export interface OwnDockerfile {
  readonly text: string
  readonly buildArgs: Readonly<Record<string, string>>
  /** Whether the engine's cache would give steps whose input has changed. */
  readonly isUncached: boolean
}

interface Asked {
  readonly engine: Docker
  readonly installation: string
  /** Makes of names what nobody can guess. */
  readonly fingerprint: (value: string) => string
}

/** How an engine builds: by BuildKit, or by the Buildah in Podman. Which of them is asked when it is needed. */
export class WayToBuild {
  readonly #engine: Docker
  readonly #groups: string
  readonly #fingerprint: (value: string) => string

  constructor({ engine, installation, fingerprint }: Asked) {
    this.#engine = engine
    this.#groups = groupsOf(installation)
    this.#fingerprint = fingerprint
  }

  /** Caches that RUN instructions mount are their owner's alone. */
  async ofOwner(dockerfile: string, owner: string): Promise<OwnDockerfile> {
    if (!(await isPodman(this.#engine)))
      return { text: dockerfile, buildArgs: { BUILDKIT_CACHE_MOUNT_NS: owner }, isUncached: false }
    const idOf = (own: string) => this.#fingerprint(`cache ${JSON.stringify([owner, own])}`)
    return { text: withOwnCaches(dockerfile, idOf), buildArgs: {}, isUncached: mountsFiles(dockerfile) }
  }

  /** Whether its cache looks at mounted files before it gives a step. */
  async looksAtMounts(): Promise<boolean> {
    return !(await isPodman(this.#engine))
  }

  /** Answers the image's id. */
  async build(build: EngineBuild): Promise<string> {
    return (await isPodman(this.#engine))
      ? await buildWithBuildah(this.#engine, this.#groups, build)
      : await buildWithEngine(this.#engine, build)
  }

  /** Ends what builds of a former server process still run; BuildKit ends a build with its session. */
  async endLeftovers(): Promise<void> {
    if ((await isPodman(this.#engine)) && (await hasMembers(this.#groups))) await endMembers(this.#groups)
  }
}
