import { readFile } from 'node:fs/promises'
import type { ContainerCreateOptions } from 'dockerode'

/**
 * Podman gives containers more open files and processes than a machine may have to give, and then fails to start them: they
 * get what this server has.
 */
export async function asPodmanTakesIt(options: ContainerCreateOptions): Promise<ContainerCreateOptions> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const own = [limitIn(limits, 'nofile', 'Max open files'), limitIn(limits, 'nproc', 'Max processes')].flat()
  const { HostConfig: config } = options
  return { ...options, HostConfig: { ...config, Ulimits: [...(config?.Ulimits ?? []), ...own] } }
}

/** What Podman's service leaves to itself. */
const serviceMost: Readonly<Record<string, number>> = { nproc: 32_768 }

function limitIn(limits: string, Name: string, words: string) {
  const [, soft, hard] = new RegExp(`^${words} +(\\d+) +(\\d+)`, 'm').exec(limits) ?? []
  const most = Math.min(Number(hard), serviceMost[Name] ?? Infinity)
  return soft === undefined || Number.isNaN(most) ? [] : [{ Name, Soft: Math.min(Number(soft), most), Hard: most }]
}
