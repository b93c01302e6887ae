import { basename } from 'node:path'
import type { ContainerCreateOptions } from 'dockerode'
import type { RunnerSpec } from '../../backend.ts'
import { labelsOf } from '../labels.ts'

/** The ports of a runner, in its own network. */
export interface ContainerPorts {
  readonly app: number
  readonly metrics: number
}

const usualPort = 8_080
const metricsPort = 9_090

export function portsOf({ exposedPort }: RunnerSpec): ContainerPorts {
  const app = exposedPort ?? usualPort
  return { app, metrics: app === metricsPort ? metricsPort + 1 : metricsPort }
}

/** The one container of a runner: who else wants to make it finds the name taken. */
export const nameOf = ({ id }: Pick<RunnerSpec, 'id'>) => `carrick-${id}`

/** What runs in a runner's container, and what it finds in its environment. */
export function programConfigOf(
  spec: RunnerSpec,
  { installation, work }: { readonly installation: string; readonly work: string },
): ContainerCreateOptions {
  const ports = portsOf(spec)
  const isOurs = spec.command.length > 0
  const variables = {
    ...(isOurs ? { LANG: 'C.UTF-8', HOME: work } : {}),
    ...spec.variables,
    PORT: String(ports.app),
    METRICS_PORT: String(ports.metrics),
    CARRICK_RUNNER_ID: spec.id,
    CARRICK_INSTALLATION: installation,
  }
  return {
    name: nameOf(spec),
    Image: spec.image?.reference ?? '',
    Labels: labelsOf(spec, installation),
    Env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    ExposedPorts: { [`${ports.app}/tcp`]: {} },
    ...(isOurs ? { WorkingDir: work, Entrypoint: [...spec.command] } : ownProgramOf(spec)),
  }
}

function ownProgramOf({ image }: RunnerSpec): ContainerCreateOptions {
  const { entrypoint, cmd } = image ?? {}
  return {
    ...(entrypoint === undefined ? {} : { Entrypoint: [...entrypoint] }),
    ...(cmd === undefined ? {} : { Cmd: [...cmd] }),
  }
}

/** What reaps processes itself, and some of these insist on being the first process of their container. */
const inits = new Set(['init', 'tini', 'tini-static', 'docker-init', 'catatonit', 'dumb-init', 's6-svscan', 'systemd'])

/** Whether the engine's own init stands before the program. */
export function needsInit(spec: RunnerSpec): boolean {
  const program = spec.command[0] ?? spec.image?.entrypoint?.[0]
  return program === undefined || !inits.has(basename(program))
}
