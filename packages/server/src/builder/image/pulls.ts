import { createInterface } from 'node:readline'
import type Docker from 'dockerode'
import { z } from 'zod'
import type { RegistryCredentials } from '../builder.ts'
import { statusOf, wordsOf } from '../../backends/docker/engine/engine.ts'
import { isPodman, pullWithPodman, unlessImagesGo, untagWithPodman } from '../../backends/docker/engine/podman.ts'
import { streamOf } from './engine-calls.ts'
import { pullFailure } from './failure.ts'
import { parseImageName } from '../../domain/image-reference.ts'
import { credentialsFor } from './registries.ts'

type Registries = Readonly<Record<string, RegistryCredentials>>

/** An image that the engine has under a name of its own, or that a registry has told of. */
export interface FoundImage {
  readonly digest: string
  /** What to pull. Absent: the engine has it, by its id. */
  readonly pull?: string
}

/** The id of an image that the engine has; undefined when it has none of that name. */
export async function localImage(engine: Docker, name: string): Promise<string | undefined> {
  try {
    return (await unlessImagesGo(() => engine.getImage(name).inspect())).Id
  } catch (error) {
    if (statusOf(error) === 404 || statusOf(error) === 400) return undefined
    throw error
  }
}

/**
 * What a name means now. A tag that the engine has is the operator's, for what is pulled here for somebody keeps no name
 * that others could guess; `anew` asks the registry first. All else is for the registry to say, to whom it likes.
 */
export async function findImage(
  engine: Docker,
  name: string,
  { registries, anew }: { registries: Registries; anew: boolean },
): Promise<FoundImage> {
  const parsed = parseImageName(name)
  if (parsed === undefined) throw new Error(`not the name of an image: ${name}`)
  const { host, repository, tag = 'latest', digest } = parsed
  // Podman has what was made here below `localhost`, and finds it by the name as people write it.
  const isPodmans = await isPodman(engine)
  const names = [`${repository}:${tag}`, ...(isPodmans ? [name] : [])]
  const here = digest === undefined ? await localImageOf(engine, names) : undefined
  if (here !== undefined && !anew) return { digest: here }
  try {
    const asked = digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`
    if (isPodmans) return await pulledByPodman(engine, asked, here, credentialsFor(host, registries))
    const told = await digestAt(engine, asked, credentialsFor(host, registries))
    return { digest: told, pull: `${repository}@${told}` }
  } catch (error) {
    if (here !== undefined) return { digest: here }
    throw pullFailure(error, name)
  }
}

async function localImageOf(engine: Docker, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const found = await localImage(engine, name)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Podman's protocol cannot ask a registry what a name means: it is pulled at once, and keeps no name that others could begin a Dockerfile
 * with. A tag that was the operator's is so again.
 */
async function pulledByPodman(
  engine: Docker,
  name: string,
  here: string | undefined,
  credentials: RegistryCredentials | undefined,
): Promise<FoundImage> {
  const image = await pullWithPodman(engine, name, {
    ...withAuth(name, credentials),
    signal: AbortSignal.timeout(pullMs),
  })
  if (image === here) return { digest: image }
  const colon = name.includes('@') ? -1 : name.lastIndexOf(':')
  if (here !== undefined && colon > 0)
    await engine.getImage(here).tag({ repo: name.slice(0, colon), tag: name.slice(colon + 1) })
  else await untagWithPodman(engine, image, name)
  return { digest: image }
}

const pullMs = 30 * 60_000

async function digestAt(engine: Docker, name: string, credentials: RegistryCredentials | undefined): Promise<string> {
  const told: unknown = await engine.getImage(name).distribution(withAuth(name, credentials))
  return z.object({ Descriptor: z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) }) }).parse(told)
    .Descriptor.digest
}

function withAuth(name: string, credentials: RegistryCredentials | undefined) {
  if (credentials === undefined) return {}
  const host = parseImageName(name)?.host ?? ''
  const serveraddress = host === 'docker.io' ? 'https://index.docker.io/v1/' : host
  return { authconfig: { ...credentials, serveraddress } }
}

const Progress = z.object({
  status: z.string().optional(),
  id: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
  aux: z.looseObject({}).optional(),
})

export interface PullOptions {
  readonly registries: Registries
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

/** Pulls an image by digest. Rejects with the registry's own words. */
export async function pullImage(
  engine: Docker,
  name: string,
  { registries, onLine, signal }: PullOptions,
): Promise<void> {
  onLine(`Pulling ${name}`)
  const credentials = credentialsFor(parseImageName(name)?.host ?? '', registries)
  const colon = name.includes('@') ? name.length : name.lastIndexOf(':')
  try {
    if (await isPodman(engine)) {
      await pullWithPodman(engine, name, { ...withAuth(name, credentials), onLine, signal })
      return
    }
    const answer = await streamOf(engine, {
      path: '/images/create?',
      method: 'POST',
      options: {
        _query: { fromImage: name.slice(0, colon), ...(colon < name.length ? { tag: name.slice(colon + 1) } : {}) },
        _body: {},
      },
      abortSignal: signal,
      ...withAuth(name, credentials),
    })
    await followTransfer(answer, onLine)
  } catch (error) {
    signal.throwIfAborted()
    throw pullFailure(error, name)
  }
}

/** Reads the engine's progress of a pull or a push to its end; answers what came beside it. Throws what it says went wrong. */
export async function followTransfer(
  answer: NodeJS.ReadableStream,
  onLine: (line: string) => void,
): Promise<readonly Record<string, unknown>[]> {
  const layers = new Map<string, { current: number; total: number }>()
  const beside: Record<string, unknown>[] = []
  let told = 0
  for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
    if (line.trim() === '') continue
    const {
      status,
      id = '',
      progressDetail: { current, total } = {},
      error,
      errorDetail,
      aux,
    } = Progress.parse(JSON.parse(line))
    if (error !== undefined) throw new Error(wordsOf(new Error(errorDetail?.message ?? error)))
    if (aux !== undefined) beside.push(aux)
    if ((status !== 'Downloading' && status !== 'Pushing') || total === undefined || current === undefined) continue
    layers.set(id, { current: Math.min(current, total), total })
    const percent = percentOf([...layers.values()])
    if (percent < told + everyPercent) continue
    told = percent
    onLine(`${status} ${percent}%`)
  }
  return beside
}

const everyPercent = 10

function percentOf(layers: readonly { current: number; total: number }[]): number {
  const sum = (of: 'current' | 'total') => layers.reduce((all, layer) => all + layer[of], 0)
  return Math.floor((100 * sum('current')) / Math.max(1, sum('total')))
}
