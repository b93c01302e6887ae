import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type Docker from 'dockerode'
import type { ContainerCreateOptions } from 'dockerode'
import { isOnLoopback } from '../../../domain/image-names.ts'
import { linesOf } from './answer-lines.ts'

const known = new WeakMap<Docker, Promise<boolean>>()

/** Whether an engine is Podman, which speaks Docker's words, not all of them. It is asked once. */
export async function isPodman(engine: Docker): Promise<boolean> {
  const asked = known.get(engine) ?? engine.version().then((version) => isPodmanOf(version))
  known.set(engine, asked)
  return await asked.catch((error: unknown) => {
    known.delete(engine)
    throw error
  })
}

/** By what it says of its version. */
export const isPodmanOf = ({ Components }: Docker.DockerVersion): boolean =>
  (Components ?? []).some(({ Name }) => Name.includes('Podman'))

/**
 * Podman gives containers more open files and processes than a machine may have to give, and then fails to start them: they
 * get what this server has. It leaves IPv6 on, by which neighbours of a bridge find one another past the rules about what they may reach.
 */
export async function asPodmanTakesIt(options: ContainerCreateOptions): Promise<ContainerCreateOptions> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const own = [limitIn(limits, 'nofile', 'Max open files'), limitIn(limits, 'nproc', 'Max processes')].flat()
  const { HostConfig: config } = options
  return {
    ...options,
    HostConfig: {
      ...config,
      Ulimits: [...(config?.Ulimits ?? []), ...own],
      Sysctls: { ...config?.Sysctls, ...noIPv6 },
    },
  }
}

const noIPv6 = { 'net.ipv6.conf.all.disable_ipv6': '1', 'net.ipv6.conf.default.disable_ipv6': '1' }

/**
 * What makes Podman's networks (CNI's plugins, or netavark) puts a chain at the head of FORWARD with its first container, before Docker's chain
 * for operators and before what stood there first, and accepts there all that containers send. CNI asks the one of these before its own rules;
 * netavark adds to what is in the other.
 */
export const podmanAsks = ['CNI-ADMIN', 'NETAVARK_FORWARD']

/** What Podman's service leaves to itself. */
const serviceMost: Readonly<Record<string, number>> = { nproc: 32_768 }

function limitIn(limits: string, Name: string, words: string) {
  const [, soft, hard] = new RegExp(`^${words} +(\\d+) +(\\d+)`, 'm').exec(limits) ?? []
  const most = Math.min(Number(hard), serviceMost[Name] ?? Infinity)
  return soft === undefined || Number.isNaN(most) ? [] : [{ Name, Soft: Math.min(Number(soft), most), Hard: most }]
}

/** So often is Podman asked again, at most. */
const mostTries = 5

/** Podman looks at one image after the other when it is asked for some; one that goes meanwhile is an error of all: then it is asked again. */
export async function unlessImagesGo<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask()
    } catch (error) {
      const isOfAnother = /image not known|locating item named|layer not known/.test(String(error))
      if ((error as { statusCode?: unknown }).statusCode !== 500 || !isOfAnother || tries === mostTries) throw error
    }
    await pause(tries * 50)
  }
}

export interface PodmanPull {
  /** As the Engine API takes it in `X-Registry-Auth`. */
  readonly authconfig?: object | undefined
  readonly onLine?: (line: string) => void
  readonly signal: AbortSignal
}

/**
 * Pulls by Podman's own API and answers the image's id: the one that is like Docker's cannot be told that a registry on loopback has no
 * certificate. Rejects with the registry's own words.
 */
export async function pullWithPodman(
  engine: Docker,
  reference: string,
  { authconfig, onLine, signal }: PodmanPull,
): Promise<string> {
  const query = { reference, ...(isOnLoopback(reference) ? { tlsVerify: 'false' } : {}) }
  const answer = await new Promise<unknown>((resolve, reject) => {
    const options = {
      path: '/v4.0.0/libpod/images/pull?',
      method: 'POST',
      options: { _query: query, _body: {} },
      abortSignal: signal,
      isStream: true,
      statusCodes: { 200: true },
      ...(authconfig === undefined ? {} : { authconfig }),
    }
    engine.modem.dial(options, (error, result) => (error ? reject(error) : resolve(result)))
  })
  if (!(answer instanceof Readable)) throw new Error('Podman answered without a body')
  return await idIn(answer, onLine)
}

/** Takes a name from an image, which stays: it is in the engine by its id until somebody tidies up. */
export async function untagWithPodman(engine: Docker, image: string, name: string): Promise<void> {
  const colon = name.includes('@') ? name.indexOf('@') : name.lastIndexOf(':')
  const query = name.includes('@') ? {} : { repo: name.slice(0, colon), tag: name.slice(colon + 1) }
  await new Promise<void>((resolve, reject) => {
    const options = {
      path: `/v4.0.0/libpod/images/${encodeURIComponent(image.replace(/^sha256:/, ''))}/untag?`,
      method: 'POST',
      options: { _query: query, _body: {} },
      statusCodes: { 200: true, 201: true, 204: true },
    }
    engine.modem.dial(options, (error) => (error ? reject(error) : resolve()))
  })
}

async function idIn(answer: Readable, onLine: PodmanPull['onLine']): Promise<string> {
  let image: string | undefined
  for await (const line of linesOf(answer)) {
    const { id, stream, error } = JSON.parse(line) as { id?: string; stream?: string; error?: string }
    if (error !== undefined) throw new Error(error)
    if (stream !== undefined) onLine?.(stream.trimEnd())
    image = id || image
  }
  if (image === undefined) throw new Error('Podman ended the pull without an image')
  return `sha256:${image.replace(/^sha256:/, '')}`
}
