import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { CarrickError } from '../domain/errors.ts'
import { isOnLoopback } from '../domain/image-names.ts'
import type { PushEngine, PushOptions, RegistryAuth } from './image-registry.ts'

/** A line of the engine's progress (Engine API, `POST /images/{name}/push`). */
const progressForm = z.object({
  status: z.string().optional(),
  id: z.string().optional(),
  progress: z.string().optional(),
  error: z.string().optional(),
  aux: z.object({ Digest: z.string() }).optional(),
})

interface Pushed extends PushOptions {
  /** With its host. */
  readonly name: string
  readonly auth: RegistryAuth | undefined
}

const ownTag = 'carrick-'

/**
 * Pushes an image of the engine under another name, and answers its digest there. The engine keeps that name, and with it
 * the digest. Rejects with `build_failed` and the registry's own words; then the engine has no more names than before.
 */
export async function pushImage(engine: PushEngine, image: string, pushed: Pushed): Promise<string> {
  const { name, signal } = pushed
  // A tag of its own: two pushes to one repository do not meet.
  const tag = `${ownTag}${createHash('sha256').update(image).digest('hex').slice(0, 16)}`
  const named = engine.getImage(`${name}:${tag}`)
  const wasThere = await named.inspect().then(
    () => true,
    () => false,
  )
  await engine.getImage(image).tag({ repo: name, tag, abortSignal: signal })
  try {
    return await sent(engine, tag, pushed)
  } catch (error) {
    if (!wasThere) await named.remove().catch(() => {}) // it would keep the image for ever
    signal.throwIfAborted()
    throw error
  }
}

async function sent(engine: PushEngine, tag: string, { name, auth, onLine, signal }: Pushed): Promise<string> {
  const plain = isOnLoopback(name) ? { tlsVerify: 'false' } : {}
  const stream = await engine.getImage(name).push({ tag, authconfig: auth ?? {}, abortSignal: signal, ...plain })
  let digest: string | undefined
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    const { error, status, id, aux } = progressOf(line)
    // Podman says it in words alone.
    const [, told] = /^\S+: digest: (sha256:[0-9a-f]{64})/.exec(status ?? '') ?? []
    if (error !== undefined) throw new CarrickError('build_failed', `${name} refused the image: ${error}`)
    digest = aux?.Digest ?? told ?? digest
    if (status !== undefined && !isTicking(status)) onLine?.(id === undefined ? status : `${id}: ${status}`)
  }
  signal.throwIfAborted()
  if (digest === undefined)
    throw new CarrickError('build_failed', `${name} did not say under which digest it has the image`)
  return digest
}

/**
 * Takes away the names of a pushed image, `owner/name@sha256:…`, that pushing gave it in the engine, also those of former
 * ports. What has other names, or is in use, stays.
 */
export async function forgetPushed(engine: PushEngine, reference: string, stored: string): Promise<void> {
  const repository = stored.split('@', 1)[0] ?? ''
  const image = await engine
    .getImage(reference)
    .inspect()
    .catch(() => ({ RepoTags: [], RepoDigests: [] }))
  const isOurs = (name: string) => name.includes(`/${repository}:${ownTag}`) || name.endsWith(`/${stored}`)
  for (const name of [...(image.RepoTags ?? []), ...(image.RepoDigests ?? [])].filter(isOurs))
    await engine
      .getImage(name)
      .remove()
      .catch(() => {}) // the last tag takes digests along
}

const progressOf = (line: string) => {
  try {
    return progressForm.parse(JSON.parse(line))
  } catch {
    return {}
  }
}

/** Said again and again while a layer goes over. */
const isTicking = (status: string): boolean => status === 'Pushing' || status === 'Waiting' || status === 'Preparing'
