import { split } from 'shlex'
import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { AccountId } from '../../domain/ids.ts'
import type { AppFile, ContainerDefinition, ImageCredentials, ImageSource } from '../../domain/revision.ts'
import { layersOf, parsedBy, PythonVersion, Requirements } from './sent-environment.ts'
import { SentImage } from './sent-image.ts'

const Container = z.strictObject({
  image: SentImage.nullish(),
  python_version: PythonVersion.nullish(),
  requirements: Requirements,
  // Whatever the author names, uv installs: it reads the same requirements.
  resolver: z.enum(['uv', 'pip'], 'must be "uv", or absent').nullish(),
  compile_bytecode: z.boolean().nullish(),
})

export interface SentContainer {
  readonly definition: ContainerDefinition
  /** As they were sent: words of secrets, and what is in clear. Stored nowhere. */
  readonly credentials: ImageCredentials
  /** Whether its image is run as it is where no code comes with it. */
  readonly servesItself: boolean
}

/** Whose it is, and what it may copy from. */
export interface BuildContext {
  readonly accountId: AccountId
  readonly context: readonly AppFile[]
}

/** An environment of the kind `container` (control-protocol §4.4). Without an image it is the platform's own. */
export function containerOf(configuration: unknown, { accountId, context }: BuildContext): SentContainer {
  const { image: sent, python_version, requirements, compile_bytecode } = parsedBy(Container, configuration)
  const image = sent ?? {}
  const asked = layersOf(requirements)
  const servesItself = image.use_isolate === false
  // An image without layers stays as it is, and code needs a reader.
  const layers = asked.length === 0 && !servesItself ? [[]] : asked
  // The client always names the Python that it runs on itself. Where nothing of ours runs in the image, it says nothing.
  const pythonVersion = servesItself && asked.length === 0 ? undefined : (python_version ?? undefined)
  const credentials = { registries: registriesOf(image.registries ?? {}), buildSecrets: image.secrets ?? {} }
  const source = sourceOf(sent ?? undefined, context)
  if (source.from !== 'dockerfile' && Object.keys(credentials.buildSecrets).length > 0) throw noBuild('secrets')
  return {
    definition: {
      kind: 'container',
      accountId,
      source,
      layers,
      compileBytecode: compile_bytecode ?? true, // once here, instead of at every cold start
      ...(pythonVersion === undefined ? {} : { pythonVersion }),
      ...commandOf('entrypoint', image.entrypoint),
      ...commandOf('cmd', image.cmd),
    },
    credentials,
    servesItself,
  }
}

function sourceOf(image: SentImage | undefined, context: readonly AppFile[]): ImageSource {
  const { dockerfile_str, image: reference, build_args, secrets } = image ?? {}
  const dockerfile = typeof dockerfile_str === 'string' && dockerfile_str.trim() !== '' ? dockerfile_str : undefined
  if (dockerfile !== undefined && reference) throw invalid('it names a Dockerfile and an image: send one of them')
  if (dockerfile !== undefined) {
    const buildSecrets = Object.keys(secrets ?? {}).toSorted()
    return { from: 'dockerfile', dockerfile, buildArgs: build_args ?? {}, context, buildSecrets }
  }
  if (context.length > 0) throw noFiles()
  if (Object.keys(build_args ?? {}).length > 0) throw noBuild('build_args')
  if (reference) return { from: 'reference', reference }
  if (image !== undefined) throw invalid('it needs a Dockerfile (`dockerfile_str`) or the name of an image (`image`)')
  return { from: 'base' }
}

function commandOf<Key extends 'entrypoint' | 'cmd'>(
  key: Key,
  sent: SentImage[Key],
): Partial<Record<Key, readonly string[]>> {
  if (sent === null || sent === undefined) return {}
  return { [key]: typeof sent === 'string' ? wordsOf(key, sent) : sent } as Record<Key, readonly string[]>
}

/** As the client splits lines, which it does as Python's `shlex`. */
function wordsOf(key: string, line: string): readonly string[] {
  try {
    return split(line)
  } catch {
    throw invalid(`its ${key} is not a line of words: a quotation mark or a backslash at its end leaves it open`)
  }
}

/** By host, whatever address the author has from `docker login`. */
function registriesOf(sent: NonNullable<SentImage['registries']>): ImageCredentials['registries'] {
  return Object.fromEntries(Object.entries(sent).map(([address, who]) => [hostOf(address), who]))
}

function hostOf(address: string): string {
  const host = /^(?:https?:\/\/)?([A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9a-fA-F:]+\](?::\d{1,5})?)(?:\/.*)?$/.exec(
    address,
  )?.[1]
  if (host === undefined) throw invalid(`${JSON.stringify(address.slice(0, 200))} is not the host of a registry`)
  return dockerHub.has(host) ? 'docker.io' : host
}

const dockerHub: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'])

const invalid = (why: string) => new CarrickError('bad_request', `The image of this app is not valid: ${why}`)
const noBuild = (key: string) => invalid(`${key} are for a Dockerfile, and it has none`)
const noFiles = () =>
  new CarrickError(
    'bad_request',
    'app_files is not supported for container apps: COPY them in a Dockerfile, or put them into the image',
  )
