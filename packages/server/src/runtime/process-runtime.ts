import { createProcessBackend } from '../backends/process/index.ts'
import { createBuilder } from '../builder/local-builder.ts'
import { listOf } from '../config.ts'
import { bootstrap, execHelper, launchHelper } from './runner-programs.ts'
import { pruneCaches } from './prunes.ts'
import type { OpenRuntime } from './runtime.ts'

/** Runners as processes of this machine, environments as its folders. */
export const openProcessRuntime: OpenRuntime = async (foundation, addresses, closing) => {
  const { config, log, vault, folder, installation, bundleFile } = foundation
  const builder = await createBuilder({
    ...foundation,
    folder: folder.environments,
    cacheFolder: config.CARRICK_CACHE === '' ? folder.cache : config.CARRICK_CACHE,
    parallel: config.CARRICK_PARALLEL_BUILDS,
    timeoutMs: config.CARRICK_BUILD_TIMEOUT_MS,
    variables: { ...process.env, SSL_CERT_FILE: bundleFile },
    fingerprint: (value) => vault.fingerprint(value),
  })
  closing.defer(() => builder.close())
  const backend = await createProcessBackend({
    folder: folder.runners,
    installation: installation.id,
    execHelper,
    launchHelper,
    isolation: config.CARRICK_ISOLATION,
    shared: listOf(config.CARRICK_SHARED_FOLDERS),
    hidden: [folder.path, ...(config.CARRICK_CACHE === '' ? [] : [config.CARRICK_CACHE])],
    ingress: {
      port: Number(addresses.ingress.authority.split(':').at(-1)),
      insteadOf: { port: addresses.names.port, names: addresses.names.hosts },
    },
    tasks: config.CARRICK_RUNNER_TASKS,
    hardCpu: config.CARRICK_CPU_LIMIT === 'hard',
    log,
    mounts: config.CARRICK_MOUNTS === 'auto',
    needed: [folder.path, bootstrap, execHelper, launchHelper],
  })
  const { withoutMounts } = backend
  if (withoutMounts !== undefined) {
    log.warn({}, `runners see no /data, only its real path in CARRICK_DATA_FOLDER, because ${withoutMounts}`)
  }
  closing.defer(() => backend.close())
  // A cache that was named may be others' as well.
  const leftovers = pruneCaches(config.CARRICK_CACHE === '' ? builder : undefined)
  return { backend, builder, leftovers }
}
