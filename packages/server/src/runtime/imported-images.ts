import type Docker from 'dockerode'
import type { KeepInEngine } from '../api/system/keeping.ts'
import { localImage, pullImage } from '../builder/image/pulls.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { startLoop, type Loop } from '../kit/loop.ts'
import type { ImageRegistry } from '../registry/image-registry.ts'
import { importedImages } from '../store/imported-images.ts'
import type { Store } from '../store/store.ts'

/** How an image of the registry gets into the engine under the name that deploys have for it. */
export function keepImported(engine: Docker, registry: ImageRegistry): KeepInEngine {
  return async ({ name, repository, digest }, signal) => {
    const reference = registry.referenceOf(`${repository}@${digest}`)
    const login = registry.authFor(reference)
    const host = registry.host().split('/', 1)[0] ?? ''
    const registries = login === undefined ? {} : { [host]: login }
    await pullImage(engine, reference, { registries, onLine: () => {}, signal })
    const colon = name.lastIndexOf(':')
    await engine.getImage(reference).tag({ repo: name.slice(0, colon), tag: name.slice(colon + 1) })
  }
}

interface ImportParts {
  readonly store: Store
  readonly engine: Docker
  readonly keepInEngine: KeepInEngine
  readonly clock: Clock
  readonly log: Logger
}

const everyMs = 60_000
/** Until the port answers, which the engine pulls from, and after a failure. */
const againMs = 5_000

/** An engine that is new, or that somebody has cleaned, gets what was imported again. What it has under such a name stays. */
export function startImports({ store, engine, keepInEngine, clock, log }: ImportParts): Loop {
  let due = clock.now() + againMs
  const pass = async (signal: AbortSignal) => {
    if (clock.now() < due) return
    due = clock.now() + againMs
    for (const image of await store.read(importedImages())) {
      if (signal.aborted) return
      if ((await localImage(engine, image.name)) !== undefined) continue
      await keepInEngine(image, signal)
      log.info({ image: image.name }, 'an imported image was gone from the engine and is there again')
    }
    due = clock.now() + everyMs
  }
  return startLoop(pass, { name: 'imported images', everyMs: againMs, log })
}
