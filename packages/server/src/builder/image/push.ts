import type Docker from 'dockerode'
import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { AccountId, EnvironmentId } from '../../domain/ids.ts'
import type { EnvironmentImage } from '../../store/environment-images.ts'
import type { RegistryCredentials } from '../builder.ts'
import { engineWords, streamOf } from './engine-calls.ts'
import { plainWords } from './failure.ts'
import { followTransfer, withAuth } from './pulls.ts'

/** The registry that images go to. Which one, and who is let in, is decided by who starts the builder. */
export interface Push {
  /** Its host as the engine names it: `127.0.0.1:8700`. It may be another one after a start. */
  host(): string
  /** The repository below the host for an environment, `owner/environment`, and by whom it is pushed. */
  to(environment: {
    readonly id: EnvironmentId
    readonly accountId?: AccountId
  }): Promise<{ readonly repository: string; readonly credentials?: RegistryCredentials }>
  /** Whether the registry has what was pushed. Absent: it is asked only by those who pull. */
  has?(repository: string, digest: string): Promise<boolean>
}

export interface PushOptions {
  readonly id: EnvironmentId
  readonly accountId?: AccountId
  /** The image's id. */
  readonly image: string
  readonly tag: string
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

/** Pushes an image and answers what it is in the registry. Rejects with the registry's words. */
export async function pushImage(
  engine: Docker,
  push: Push,
  { id, accountId, image, tag, onLine, signal }: PushOptions,
): Promise<NonNullable<EnvironmentImage['pushed']>> {
  const { repository, credentials } = await push.to({ id, ...(accountId === undefined ? {} : { accountId }) })
  const name = `${push.host()}/${repository}`
  onLine(`Pushing ${name}`)
  try {
    await engine.getImage(image).tag({ repo: name, tag })
    const answer = await streamOf(engine, {
      path: `/images/${name}/push?`,
      method: 'POST',
      options: { _query: { tag }, _body: {} },
      abortSignal: signal,
      // The engine wants this header also where nobody has to say who they are.
      authconfig: withAuth(`${name}:${tag}`, credentials).authconfig ?? {},
    })
    const digests = (await followTransfer(answer, onLine)).map((aux) => Pushed.safeParse(aux))
    const digest = digests.flatMap(({ data }) => (data === undefined ? [] : [data.Digest])).at(-1)
    if (digest === undefined) throw new Error('the engine did not say what it pushed')
    return { repository, tag, digest }
  } catch (error) {
    signal.throwIfAborted()
    const words = plainWords(engineWords(error))
    throw new CarrickError('build_failed', `The image was built, but ${push.host()} did not take it: ${words}`)
  }
}

const Pushed = z.object({ Digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) })
