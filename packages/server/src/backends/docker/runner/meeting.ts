import type { ContainerInspectInfo } from 'dockerode'
import type { Address } from '../../../domain/runner.ts'
import type { RunnerSpec } from '../../backend.ts'
import type { ProcIdentity } from '../../process/proc.ts'
import { portsOf } from './config.ts'
import type { Listener } from './listening.ts'
import { hasOwnKernel } from '../walls/runtime.ts'

/** What is learned of a container that runs. */
export interface Met {
  /** Where the engine publishes it. */
  readonly address: Address
  /** Where its server is expected to listen, and by whom that is seen. */
  readonly listener: Listener
  /** Where it is in its own network; absent where no nearer way leads there. */
  readonly inside: Address | undefined
  /** How it is asked to end, where its image says so. */
  readonly stopSignal: string | undefined
  readonly mostTasks: number | undefined
}

/** Reads that off what the engine tells of it. `init` is its first process, where that is seen. */
export function metOf(
  { NetworkSettings, Config, HostConfig }: ContainerInspectInfo,
  spec: RunnerSpec,
  init: ProcIdentity | undefined,
): Met {
  const { app } = portsOf(spec)
  const address = { host: '127.0.0.1', port: Number(NetworkSettings.Ports[`${app}/tcp`]?.[0]?.HostPort) }
  const own = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? ''
  const pid = hasOwnKernel(HostConfig.Runtime) ? undefined : init?.pid
  return {
    address,
    listener: { port: app, address, ...(pid === undefined ? {} : { pid }) },
    inside: pid === undefined || own === '' ? undefined : { host: own, port: app },
    stopSignal: (Config as { readonly StopSignal?: string }).StopSignal,
    mostTasks: HostConfig.PidsLimit ?? undefined,
  }
}
