import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type Docker from 'dockerode'
import { z } from 'zod'
import { linesOf } from '../../backends/docker/engine/answer-lines.ts'
import { wordsOf } from '../../backends/docker/engine/engine.ts'
import { endMembers } from './buildah-members.ts'
import { BuildahTrace } from './buildah-trace.ts'
import { EngineBuildError, type EngineBuild } from './engine-build.ts'
import { streamOf } from './engine-calls.ts'
import { removeName } from './names.ts'
import { parseImageName } from '../../domain/image-reference.ts'
import { credentialsFor } from './registries.ts'

/**
 * Builds with Podman, which has no BuildKit: its Buildah reads a context and answers in lines. Promises what `buildWithEngine` does.
 * `groups` begins the names of the control groups that steps run in.
 */
export async function buildWithBuildah(engine: Docker, groups: string, build: EngineBuild): Promise<string> {
  const { context, signal } = build
  signal.throwIfAborted()
  const group = `${groups}${randomUUID()}`
  await using secrets = await openSecrets(build.secrets)
  const trace = new BuildahTrace(build)
  try {
    const answer = await streamOf(engine, {
      path: '/build?',
      method: 'POST',
      file: context,
      options: { _query: queryOf(build, group, secrets.arguments), _body: {} },
      abortSignal: signal,
      registryconfig: build.registries,
    })
    const image = await readAnswer(answer, trace)
    signal.throwIfAborted()
    const colon = build.tag.lastIndexOf(':')
    // Not by the build: what has been given up may go on for a moment, and would name what nobody waits for.
    await engine.getImage(image).tag({ repo: build.tag.slice(0, colon), tag: build.tag.slice(colon + 1) })
    return image
  } catch (error) {
    if (signal.aborted) await endMembers(group)
    signal.throwIfAborted()
    throw error instanceof EngineBuildError ? error : new EngineBuildError(wordsOf(error), trace.failure)
  } finally {
    context.destroy()
    await forgetPulled(engine, trace.pulled, build)
  }
}

function queryOf(build: EngineBuild, group: string, secrets: readonly string[]) {
  return {
    dockerfile: build.dockerfile,
    buildargs: JSON.stringify(build.buildArgs),
    labels: JSON.stringify(build.labels),
    secrets: JSON.stringify(secrets),
    cgroupparent: `/${group}`,
    forcerm: '1', // else what it worked in stays when it fails
    ...(build.timestamp === undefined ? {} : { timestamp: String(build.timestamp) }),
    ...(build.noCache ? { nocache: '1' } : {}),
  }
}

interface Secrets extends AsyncDisposable {
  /** As Buildah takes them: where each is, from within the context. */
  readonly arguments: readonly string[]
}

/** Secrets are files of this machine, beside the context: nothing that copies or mounts all of that finds them. */
async function openSecrets(secrets: EngineBuild['secrets']): Promise<Secrets> {
  if (secrets.size === 0) return { arguments: [], [Symbol.asyncDispose]: async () => {} }
  const memory = await stat('/dev/shm').catch(() => undefined)
  const folder = await mkdtemp(join(memory?.isDirectory() === true ? '/dev/shm' : tmpdir(), 'carrick-secrets-'))
  const forget = () => rm(folder, { recursive: true, force: true })
  try {
    const ids = [...secrets.keys()]
    for (const [index, value] of [...secrets.values()].entries())
      await writeFile(join(folder, String(index)), value, { mode: 0o600 })
    return {
      arguments: ids.map((id, index) => `id=${id},src=${toRoot}${folder}/${index}`),
      [Symbol.asyncDispose]: forget,
    }
  } catch (error) {
    await forget()
    throw error
  }
}

/** From however deep a folder. */
const toRoot = Array.from({ length: 64 }, () => '..').join('/')

const Event = z.object({
  aux: z.looseObject({ ID: z.string().optional() }).optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
  stream: z.string().optional(),
})

async function readAnswer(answer: Readable, trace: BuildahTrace): Promise<string> {
  let image: string | undefined
  for await (const line of linesOf(answer)) {
    const { data } = Event.safeParse(JSON.parse(line))
    const { aux, error, errorDetail, stream } = data ?? {}
    if (stream !== undefined) trace.take(stream)
    image = aux?.ID ?? image
    if (error === undefined) continue
    trace.end()
    throw new EngineBuildError(errorDetail?.message ?? error, trace.failure)
  }
  trace.end()
  if (image === undefined) throw new EngineBuildError('the engine ended the build without an image', trace.failure)
  return image
}

/** By such a name others could begin a Dockerfile with what its registry would not give them. Layers stay with what is on them. */
async function forgetPulled(
  engine: Docker,
  names: ReadonlySet<string>,
  { registries }: Pick<EngineBuild, 'registries'>,
): Promise<void> {
  const withLogin = [...names].filter(
    (name) => credentialsFor(parseImageName(name)?.host ?? '', registries) !== undefined,
  )
  await Promise.all(withLogin.map((name) => removeName(engine, name)))
}
