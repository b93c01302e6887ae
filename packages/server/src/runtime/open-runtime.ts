import { lacks } from '../backends/confinement.ts'
import type { OpenRuntime } from './runtime.ts'

/** Each is loaded only where runners run like that: a server of processes knows no container engine. */
const runtimes = {
  process: async () => (await import('./process-runtime.ts')).openProcessRuntime,
  docker: async () => (await import('./docker-runtime.ts')).openDockerRuntime,
} satisfies Record<string, () => Promise<OpenRuntime>>

/** Opens the backend that CARRICK_BACKEND names, with its builder; `closing` closes both. Throws a sentence when it cannot be had. */
export const openRuntime: OpenRuntime = async (foundation, addresses, closing) => {
  const { config, log } = foundation
  const open = await runtimes[config.CARRICK_BACKEND]()
  const runtime = await open(foundation, addresses, closing)
  const lacking = lacks(runtime.backend.confinement)
  if (lacking !== undefined) log.warn({}, lacking)
  return runtime
}
