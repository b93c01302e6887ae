import { createRequire } from 'node:module'
import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { CondaDefinition } from '../../domain/revision.ts'
import { layersOf, parsedBy, PythonVersion, Requirements } from './sent-environment.ts'

/** Few servers ever see such a file, and its reader is a megabyte of memory: it is loaded with the first. */
const load = createRequire(import.meta.url)

const words = z.array(z.string().trim().min(1))

/** A conda environment file. Its name and its folder mean nothing here. */
const CondaFile = z.strictObject({
  name: z.string().nullish(),
  prefix: z.string().nullish(),
  channels: words.nullish(),
  dependencies: z.array(z.union([z.string().trim().min(1), z.strictObject({ pip: words })])).nullish(),
})

const Conda = z.strictObject({
  python_version: PythonVersion,
  env_dict: CondaFile.nullish(),
  env_yml_str: z.string().max(1_000_000).nullish(),
  packages: words.nullish(),
  pip: Requirements,
  channels: words.nullish(),
})

/** An environment of the kind `conda` (control-protocol §4.4): a file, as text or read, or a list of packages. */
export function condaOf(configuration: unknown): CondaDefinition {
  const { python_version, pip, channels, ...sent } = parsedBy(Conda, configuration)
  const file = fileOf(sent)
  const dependencies = file.dependencies ?? []
  const inFile = dependencies.flatMap((each) => (typeof each === 'string' ? [] : each.pip))
  return {
    kind: 'conda',
    pythonVersion: python_version,
    channels: [...new Set([...(file.channels ?? []), ...(channels ?? [])])],
    packages: dependencies.filter((each) => typeof each === 'string'),
    layers: joined(inFile, layersOf(pip)),
    compileBytecode: true,
  }
}

function fileOf({
  env_dict,
  env_yml_str,
  packages,
}: Pick<z.output<typeof Conda>, 'env_dict' | 'env_yml_str' | 'packages'>): z.output<typeof CondaFile> {
  if (env_dict) return env_dict
  if (typeof env_yml_str === 'string') return parsedBy(CondaFile, yamlOf(env_yml_str))
  if (packages) return { dependencies: packages }
  const message =
    'A conda environment needs one of `env_dict`, `env_yml`, `env_yml_str` and `packages`; this one has none'
  throw new CarrickError('bad_request', message)
}

function yamlOf(text: string): unknown {
  const { parse } = load('yaml') as typeof import('yaml')
  try {
    return parse(text, { maxAliasCount: 100 })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CarrickError('bad_request', `The environment's env_yml_str is not YAML: ${why.slice(0, 500)}`)
  }
}

/** What the file names is installed together with the first layer. */
function joined(inFile: readonly string[], layers: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const [first = [], ...more] = layers
  return inFile.length === 0 ? layers : [[...inFile, ...first], ...more]
}
