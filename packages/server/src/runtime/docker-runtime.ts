import { join } from 'node:path'
import { openEngine, type EngineFacts } from '../backends/docker/engine.ts'
import { createDockerBackend } from '../backends/docker/index.ts'
import { createImageBuilder } from '../builder/image/image-builder.ts'
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
      listenAt: (address) => ingress.listenAt(address),
      insteadOf: { port: names.port, names: names.hosts.filter((host) => host !== name) },
    },
    walls: wallSettingsOf(config),
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

function nameOf({ kind, version, isRootless }: EngineFacts): string {
  const name = kind === 'podman' ? 'Podman' : 'Docker'
  return `${name} ${version}${isRootless ? ', rootless' : ''}`
}
