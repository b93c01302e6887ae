import type Docker from 'dockerode'
import type { EngineImages } from '../api/system/keeping.ts'
import { unless } from '../backends/docker/engine/engine.ts'
import { unlessImagesGo } from '../backends/docker/engine/podman.ts'
import { removeName } from '../builder/image/names.ts'
import type { ImageRegistry } from '../registry/image-registry.ts'
import { forgetPushed } from '../registry/push.ts'

/** What the operator is told of the engine's images, and has taken away. */
export function engineImages(engine: Docker, registry: Pick<ImageRegistry, 'referenceOf'>): EngineImages {
  const forget = (stored: string) => forgetPushed(engine, registry.referenceOf(stored), stored)
  return {
    async find(name) {
      const found = await unless(
        [400, 404],
        unlessImagesGo(() => engine.getImage(name).inspect()),
      )
      return found && { id: found.Id, bytes: found.Size, createdAt: Date.parse(found.Created) }
    },
    async forgetImported({ name, repository, digest }) {
      const stored = `${repository}@${digest}`
      const [named, ours] = await Promise.all([this.find(name), this.find(registry.referenceOf(stored))])
      // Somebody may have given the name to another image meanwhile: that is theirs.
      if (named !== undefined && named.id === ours?.id) await removeName(engine, name)
      await forget(stored)
    },
    async forgetEnvironment({ tag, pushed }) {
      if (pushed !== undefined) await forget(pushed)
      await removeName(engine, tag)
    },
  }
}
