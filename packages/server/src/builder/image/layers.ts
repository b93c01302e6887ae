import { createHash } from 'node:crypto'
import type { EnvironmentDefinition } from '../../domain/revision.ts'
import type { ContextFile } from './context.ts'

/** Where an environment is in its image: the same in all, so that nothing that names it changes with a build. */
export const venv = '/opt/carrick/venv'
export const venvPython = `${venv}/bin/python`

/** In no layer: the engine has a file system of its own there for each RUN. */
const given = '/dev/carrick'

export interface LayerPlan {
  readonly definition: EnvironmentDefinition
  /** A name by which the engine finds the image that they go on. */
  readonly on: string
  /** Whom it runs as; empty is root. */
  readonly user: string
  /** The interpreter in it, by which the environment is made. */
  readonly python: string
  /** Keeps what builds share apart from the builds of others. */
  readonly cacheName: string
  /** Differs when what a secret in a layer stands for does. */
  readonly fingerprint: string
  /** Archives go along with the build: see `own-archives.ts`. */
  readonly hasFiles: boolean
  /** By which conda's base is made. */
  readonly conda?: readonly string[]
}

const mount = (words: string) => `--mount=type=${words}`

/**
 * A Dockerfile that puts a definition's requirements on an image: one layer for the environment, one for each list. What a list says is in the
 * file that its instruction mounts; the digest of that is in the instruction, for not every engine looks at what is mounted before it takes a
 * layer from its cache.
 */
export function layersDockerfile(plan: LayerPlan, ours: readonly string[]): string {
  const { definition, on, user, python, cacheName, hasFiles, conda } = plan
  const cache = mount(`cache,id=${cacheName},target=${given}/cache`)
  const tools = mount(`bind,source=tools,target=${given}/tools`)
  const secrets = ['settings', 'bundle'].map((id) =>
    mount(`secret,id=carrick-${id},target=${given}/${id},required=true`),
  )
  const run = (mounts: readonly string[], ...words: readonly string[]) => {
    const command = [python, '-I', `${given}/tools/install.py`, ...words]
    return `RUN ${[tools, cache, ...secrets, ...mounts].join(' ')} ${JSON.stringify(command)}`
  }
  const onImage = definition.kind === 'container' ? ['--system-site-packages'] : []
  const base = conda === undefined ? run([], 'venv', python, ...onImage) : run([], 'conda', ...conda)
  const files = hasFiles ? [mount(`bind,source=files,target=${given}/files`)] : []
  const layers = layerFiles(plan, ours).map(({ path, content }) =>
    run([mount(`bind,source=${path},target=${given}/layer`), ...files], 'layer', digestOf(content)),
  )
  const asRoot = user === '' ? [] : ['USER root']
  const asBefore = user === '' ? [] : [`USER ${user}`]
  return [`FROM ${on}`, ...asRoot, base, ...layers, ...asBefore, ''].join('\n')
}

interface LayerFile extends ContextFile {
  readonly content: string
}

const digestOf = (content: string) => createHash('sha256').update(content).digest('hex').slice(0, 32)

/** What the layers of a build find: a file each, in which all stands that makes one differ from another. */
export function layerFiles({ definition, fingerprint }: LayerPlan, ours: readonly string[]): LayerFile[] {
  const layers = layersOf(definition)
  return layers.map((layer, index) => ({
    path: `layers/${index}.json`,
    mode: 0o644,
    content: JSON.stringify({
      index,
      requirements: [...ours, ...layer],
      compile: definition.compileBytecode && index === layers.length - 1,
      fingerprint,
    }),
  }))
}

/** One at least: what we need is in it. */
export function layersOf({ layers }: Pick<EnvironmentDefinition, 'layers'>): EnvironmentDefinition['layers'] {
  return layers.length > 0 ? layers : [[]]
}

/** How a step of this Dockerfile is called for people; of another one, as the engine has it. */
export function layerStepName(name: string): string {
  const [, words = ''] = /install\.py([^\]]*)\]?$/.exec(name) ?? []
  const [step] = words.match(/[a-z]+/) ?? []
  const place = /^\[[^\]]*\]/.exec(name)?.[0] ?? ''
  if (step === 'venv') return `${place} Making the environment`
  if (step === 'conda') return `${place} Installing conda packages`
  if (step === 'layer') return `${place} Installing requirements`
  return name.replace(/\s--mount=\S+/g, '').trim()
}
