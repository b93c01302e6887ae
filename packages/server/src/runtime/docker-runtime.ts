import { join } from 'node:path'
import { openEngine, type EngineFacts } from '../backends/docker/engine/engine.ts'
import { createDockerBackend } from '../backends/docker/index.ts'
import type { EngineInside } from '../backends/docker/engine/inside.ts'
import { enterRootless } from '../backends/docker/engine/rootless.ts'
import { createImageBuilder } from '../builder/image/image-builder.ts'
import { isOnLoopback } from '../domain/image-names.ts'
import type { Ingress } from './ingress.ts'
import { ingressName } from '../ingress-name.ts'
import { engineImages } from './engine-images.ts'
import { keepImported, startImports } from './imported-images.ts'
import { pruneEngine } from './prune-engine.ts'
import { imageHelper } from './runner-programs.ts'
import type { OpenRuntime } from './runtime.ts'
import { pushTo } from './pushed-images.ts'
import { wallSettingsOf } from './wall-settings.ts'

/** Runners as containers of this machine's engine, environments as its images. */
export const openDockerRuntime: OpenRuntime = async (foundation, { names, ingress, registry }, closing) => {
  const { config, log, vault, folder, installation, bundleFile, store, blobs, clock } = foundation
  const engine = await openEngine()
  const inside = await enterRootless(engine)
  closing.defer(() => inside?.close())
  if (inside !== undefined) await letReachRegistry(inside, registry.host(), ingress, closing)
  const builder = await createImageBuilder({
    engine: engine.docker,
    store,
    blobs,
    log,
    clock,
    installation: installation.id,
    programs: imageHelper,
    toolsFolder: join(config.CARRICK_CACHE === '' ? folder.cache : config.CARRICK_CACHE, 'tools'),
    baseImage: config.CARRICK_BASE_IMAGE,
    hosts: () => [...names.hosts.map((host) => `${host}:${names.port}`), ingress.authority],
    push: pushTo(registry, engine.docker, foundation),
    parallel: config.CARRICK_PARALLEL_BUILDS,
    timeoutMs: config.CARRICK_BUILD_TIMEOUT_MS,
    variables: { ...process.env, SSL_CERT_FILE: bundleFile },
    fingerprint: (value) => vault.fingerprint(value),
  })
  closing.defer(() => builder.close())
  const port = Number(ingress.authority.split(':').at(-1))
  const name = ingressName(config) ?? ''
  const backend = await createDockerBackend({
    engine,
    folder: folder.runners,
    installation: installation.id,
    log,
    authFor: async (reference) => registry.authFor(reference),
    waysIn: foundation.waysIn,
    ingress: {
      name,
      port,
      listenAt: (address, through) => ingress.listenAt(address, through),
      insteadOf: { port: names.port, names: names.hosts.filter((host) => host !== name) },
    },
    walls: wallSettingsOf(config),
    inside,
  })
  closing.defer(() => backend.close())
  const keepInEngine = keepImported(engine.docker, registry)
  const imports = startImports({ store, engine: engine.docker, keepInEngine, clock, log })
  closing.defer(() => imports.stop())
  const leftovers = pruneEngine(engine.docker, installation.id)
  return {
    backend,
    builder,
    leftovers,
    keepInEngine,
    engineImages: engineImages(engine.docker, registry),
    engine: nameOf(engine.facts),
  }
}

/** An engine in a network of its own has a loopback of its own: there it finds the registry as another engine does here. */
async function letReachRegistry(
  inside: EngineInside,
  host: string,
  ingress: Pick<Ingress, 'serveEngine'>,
  closing: AsyncDisposableStack,
): Promise<void> {
  if (!isOnLoopback(`${host}/`)) return
  const { hostname, port } = new URL(`http://${host}`)
  closing.use(await ingress.serveEngine(await inside.listen(hostname.replaceAll(/[[\]]/g, ''), Number(port))))
}

function nameOf({ kind, version, isRootless }: EngineFacts): string {
  const name = kind === 'podman' ? 'Podman' : 'Docker'
  return `${name} ${version}${isRootless ? ', rootless' : ''}`
}
