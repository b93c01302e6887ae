import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Docker from 'dockerode'
import { CarrickError } from '../../../domain/errors.ts'
import { isPodmanOf } from './podman.ts'

/** A container engine: how it is spoken to, and what it is. */
export interface Engine {
  readonly docker: Docker
  /** As DOCKER_HOST has it: `unix:///var/run/docker.sock`. */
  readonly host: string
  readonly facts: EngineFacts
}

export interface EngineFacts {
  /** Podman speaks Docker's words, not all of them. */
  readonly kind: 'docker' | 'podman'
  readonly version: string
  /** Of the protocol, `1.41`. */
  readonly api: string
  readonly cgroupVersion: 1 | 2
  /** Its containers are below a user who is not root. */
  readonly isRootless: boolean
  /** The names by which containers can be run otherwise, `runc` among them. */
  readonly runtimes: readonly string[]
}

export const answerMs = 30_000

/**
 * Reaches the engine that DOCKER_HOST names, else the one whose socket is at a usual place: Docker's, a rootless one's,
 * Podman's. Throws `bad_request` with what to do when none answers.
 */
export async function openEngine(environment: NodeJS.ProcessEnv = process.env): Promise<Engine> {
  const host = environment['DOCKER_HOST'] ?? usualHost(environment)
  const docker = new Docker(connectionOf(host, environment))
  try {
    const [version, info] = await within(Promise.all([docker.version(), docker.info()]))
    return { docker, host, facts: factsOf(version, info as EngineInfo) }
  } catch (error) {
    throw new CarrickError('bad_request', noEngine(host, error), { cause: error })
  }
}

async function within<T>(work: Promise<T>): Promise<T> {
  const waiting = new AbortController()
  const late = pause(answerMs, undefined, waiting).then(() => {
    throw new Error(`it said nothing for ${answerMs / 1_000} s`)
  })
  late.catch(() => {})
  return Promise.race([work, late]).finally(() => waiting.abort())
}

function noEngine(host: string, error: unknown): string {
  return (
    `No container engine answers at ${host} (${wordsOf(error)}). Start one, such as Docker, let this user reach its socket, ` +
    'or say in DOCKER_HOST where it is. Without one, --backend process runs apps as processes'
  )
}

/** Whether it is the engine that is not there, and not something that it says. */
export function isAway(error: unknown): boolean {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown }
  return statusCode === undefined && typeof code === 'string' && awayCodes.has(code)
}

const awayCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ENOTFOUND', 'EHOSTUNREACH', 'ETIMEDOUT'])

/** The HTTP status that the engine answered with; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  const { statusCode } = error as { statusCode?: unknown }
  return typeof statusCode === 'number' ? statusCode : undefined
}

/** What went wrong, in the engine's own words where it has some. */
export function wordsOf(error: unknown): string {
  const { json } = error as { json?: { message?: unknown } | null }
  if (typeof json?.message === 'string') return json.message
  const words = error instanceof Error ? error.message.trim() : String(error)
  return words.replace(/^\(HTTP code \d+\) [\w ]+ - /, '')
}

/** Resolves to undefined where the engine answers with one of these. */
export async function unless<T>(statuses: readonly number[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (statuses.includes(statusOf(error) ?? 0)) return undefined
    throw error
  }
}

function usualHost({ XDG_RUNTIME_DIR: own }: NodeJS.ProcessEnv): string {
  const ofUser = own === undefined ? [] : [join(own, 'docker.sock'), join(own, 'podman', 'podman.sock')]
  const usual = ['/var/run/docker.sock', ...ofUser, '/run/podman/podman.sock']
  return `unix://${usual.find((path) => existsSync(path)) ?? '/var/run/docker.sock'}`
}

function connectionOf(host: string, environment: NodeJS.ProcessEnv): Docker.DockerOptions {
  // The library's own defaults are those of DOCKER_HOST, and what is not named here is taken from there.
  const nothing = {
    host: undefined,
    port: undefined,
    socketPath: undefined,
    ca: undefined,
    cert: undefined,
    key: undefined,
  }
  if (host.startsWith('unix://')) return { ...nothing, protocol: 'http', socketPath: host.slice('unix://'.length) }
  const url = URL.parse(host)
  if (url === null || !['tcp:', 'http:', 'https:'].includes(url.protocol)) {
    throw new CarrickError(
      'bad_request',
      `DOCKER_HOST is "${host}", which is neither unix:///PATH nor tcp://HOST:PORT: an engine must see this machine's files`,
    )
  }
  const folder = environment['DOCKER_CERT_PATH']
  const isSecret = url.protocol === 'https:' || (environment['DOCKER_TLS_VERIFY'] ?? '') !== ''
  const of = (name: string) => (folder === undefined ? undefined : readFileSync(join(folder, name)))
  const port = Number(url.port || (isSecret ? 2376 : 2375))
  const tls = isSecret ? { ca: of('ca.pem'), cert: of('cert.pem'), key: of('key.pem') } : {}
  return { ...nothing, ...tls, protocol: isSecret ? 'https' : 'http', host: url.hostname, port }
}

interface EngineInfo {
  readonly CgroupVersion?: string
  readonly SecurityOptions?: readonly string[] | null
  readonly Runtimes?: Readonly<Record<string, unknown>> | null
  /** Podman's word for it. */
  readonly Rootless?: boolean
}

function factsOf(version: Docker.DockerVersion, info: EngineInfo): EngineFacts {
  return {
    kind: isPodmanOf(version) ? 'podman' : 'docker',
    version: version.Version,
    api: version.ApiVersion,
    cgroupVersion: info.CgroupVersion === '2' ? 2 : 1,
    isRootless: info.Rootless === true || (info.SecurityOptions ?? []).some((option) => option.includes('rootless')),
    runtimes: Object.keys(info.Runtimes ?? {}),
  }
}
