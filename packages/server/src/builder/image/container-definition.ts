import { createHash } from 'node:crypto'
import { CarrickError } from '../../domain/errors.ts'
import { relativePathOf } from '../../domain/file-path.ts'
import type { EnvironmentId } from '../../domain/ids.ts'
import type { ContainerDefinition, ImageSource } from '../../domain/revision.ts'
import type { SecretValues } from '../../domain/secret.ts'
import { ourPackages, type Filling } from '../definition.ts'
import { usedSecrets } from '../filling.ts'
import { checkRequirements } from '../requirements.ts'
import { parseImageName } from '../../domain/image-reference.ts'

/** Counts up when the same definition begins to mean another image. */
const builderVersion = 1

const mostLayers = 100
const longestDockerfile = 1024 * 1024
const mostFiles = 20_000
const argumentName = /^[A-Za-z_][A-Za-z0-9_]*$/
const secretId = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/**
 * The definition without comments in its requirements, `${NAME}` still in it. Throws `bad_request` for what is refused.
 * Of its layers only the first may be empty: without any, the image stays as it is; with one, what we need is added.
 */
export function checkContainer(definition: ContainerDefinition, secrets: SecretValues = {}): ContainerDefinition {
  const { pythonVersion, source } = definition
  if (pythonVersion !== undefined && !/^3\.\d{1,2}$/.test(pythonVersion)) {
    throw refusal(`The Python version ${JSON.stringify(pythonVersion)} is not a minor version, such as "3.11".`)
  }
  if (definition.layers.length > mostLayers) {
    throw refusal(`The environment has ${definition.layers.length} layers; at most ${mostLayers} are taken.`)
  }
  checkSource(source)
  const layers = definition.layers.map((layer) => checkRequirements(layer, secrets))
  const full = layers.filter((layer) => layer.length > 0)
  return { ...definition, layers: full.length > 0 ? full : layers.slice(0, 1) }
}

function checkSource(source: ImageSource): void {
  if (source.from === 'reference' && parseImageName(source.reference) === undefined) {
    const given = JSON.stringify(source.reference.slice(0, 200))
    throw refusal(`${given} is not the name of an image, such as \`python:3.11-slim\` or \`ghcr.io/owner/name:tag\`.`)
  }
  if (source.from !== 'dockerfile') return
  const { dockerfile, buildArgs, buildSecrets, context } = source
  if (dockerfile.trim() === '') throw refusal('The Dockerfile is empty.')
  if (Buffer.byteLength(dockerfile) > longestDockerfile || dockerfile.includes('\0')) {
    throw refusal(`The Dockerfile is longer than ${longestDockerfile} bytes, or holds a zero byte.`)
  }
  const [wrong] = Object.keys(buildArgs).filter((name) => !argumentName.test(name) || ourArguments.has(name))
  if (wrong !== undefined) throw refusal(`The build argument ${JSON.stringify(wrong.slice(0, 100))} is refused.`)
  const [unknown] = buildSecrets.filter((id) => !secretId.test(id))
  if (unknown !== undefined) throw refusal(`The build secret ${JSON.stringify(unknown.slice(0, 100))} is refused.`)
  checkContext(context.map(({ path }) => path))
}

/** They decide whose caches a build sees. */
const ourArguments: ReadonlySet<string> = new Set(['BUILDKIT_CACHE_MOUNT_NS', 'BUILDKIT_INLINE_CACHE'])

function checkContext(paths: readonly string[]): void {
  if (paths.length > mostFiles)
    throw refusal(`The build context has ${paths.length} files; at most ${mostFiles} are taken.`)
  const files = new Set<string>()
  for (const path of paths) {
    const whole = relativePathOf(path).join('/')
    if (files.has(whole))
      throw refusal(`The file ${JSON.stringify(path.slice(0, 200))} comes twice in the build context.`)
    files.add(whole)
  }
}

/** What of a container's definition its content depends on besides itself. */
export interface ContainerFacts extends Filling {
  /** Of the image that a reference means at present, or of the platform's base: its digest. */
  readonly digest?: string
  readonly buildSecrets: SecretValues
}

/**
 * Equal for definitions that give the same image, of one account. How it is started counts for nothing, so a change of
 * that builds nothing. Secrets count by their fingerprints.
 */
export function containerIdOf(definition: ContainerDefinition, facts: ContainerFacts): EnvironmentId {
  const { accountId, source, layers, compileBytecode, pythonVersion } = definition
  const { digest, buildSecrets, secrets, fingerprint } = facts
  const marks = (values: SecretValues) =>
    Object.entries(values)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, value]) => [name, fingerprint(value)])
  const described = [
    builderVersion,
    'container',
    accountId,
    [digest ?? null, describedSource(source)],
    [pythonVersion ?? null, compileBytecode, layers.length > 0 ? ourPackages : [], layers],
    marks(usedSecrets(layers, secrets)),
    marks(buildSecrets),
  ]
  return createHash('sha256').update(JSON.stringify(described)).digest('hex')
}

function describedSource(source: ImageSource): unknown {
  if (source.from === 'base') return source
  // With the digest, the name by which it was asked for counts all the same: another registry may give and take it.
  if (source.from === 'reference') return [source.from, source.reference]
  const { dockerfile, buildArgs, context, buildSecrets } = source
  return [
    source.from,
    dockerfile,
    Object.entries(buildArgs).toSorted(([one], [other]) => (one < other ? -1 : 1)),
    context
      .map(({ path, mode, blob }) => [path, mode & 0o777, blob])
      .toSorted(([one], [other]) => (one! < other! ? -1 : 1)),
    buildSecrets.toSorted(),
  ]
}

const refusal = (message: string) => new CarrickError('bad_request', message)
