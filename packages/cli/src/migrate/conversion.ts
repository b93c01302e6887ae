import { predictorOf, type CogConfig } from './cog-config.ts'
import type { CogPredictor } from './predictor.ts'

/** What lies in a Cog project's folder, as far as it matters. */
export interface Project {
  readonly name: string
  readonly config: CogConfig
  readonly predictor: CogPredictor
  /** The text of `build.python_requirements`. */
  readonly requirementsText: string | undefined
  /** Files and folders at the top that the predictor may need. */
  readonly entries: readonly { readonly name: string; readonly isFolder: boolean }[]
  /** Those larger than `fal` uploads, in their paths. */
  readonly tooLarge: readonly string[]
}

/** What becomes of a Cog project: an app whose packages go into a Python environment, or into an image. */
export interface Conversion {
  readonly project: Project
  readonly file: string
  readonly kind: 'virtualenv' | 'container'
  readonly requirements: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly multiplexing: number
  readonly machineType: string
  readonly python: string
  /** Ids of build secrets that run commands mount. */
  readonly buildSecrets: readonly string[]
  /** Why the packages alone do not make the environment; none where they do. */
  readonly imageReasons: readonly string[]
  /** Requirements that the app must not have. */
  readonly dropped: readonly string[]
}

/** Decides what a project becomes. Pure. Throws a sentence for what no app can be made of. */
export function convert(project: Project): Conversion {
  const { config, predictor } = project
  const hidden = predictor.inputs.find(({ name }) => name.startsWith('_') || name === 'model_config')
  if (hidden !== undefined) throw new Error(`an app cannot have an input that is called ${hidden.name}: rename it`)
  const { requirements, options, dropped } = requirementsOf(project)
  const imageReasons = imageReasonsOf(config, options)
  const multiplexing = predictor.isAsync ? (config.concurrency?.max ?? predictor.concurrency ?? 1) : 1
  return {
    project,
    file: predictorOf(config).file,
    kind: imageReasons.length > 0 ? 'container' : 'virtualenv',
    requirements,
    environment: environmentOf(config),
    multiplexing,
    machineType: config.build.gpu === true ? 'GPU' : 'S',
    python: /^\d+\.\d+/.exec(config.build.python_version ?? '')?.[0] ?? newestPython,
    buildSecrets: (config.build.run ?? []).flatMap((run) =>
      typeof run === 'string' ? [] : run.mounts.map(({ id }) => id),
    ),
    imageReasons,
    dropped,
  }
}

/** What Cog takes if a file does not say. */
const newestPython = '3.13'

function imageReasonsOf({ build }: CogConfig, options: readonly string[]): readonly string[] {
  const keys = (['system_packages', 'pre_install', 'run'] as const).filter((key) => (build[key] ?? []).length > 0)
  const pip = options.length > 0 ? [`options of pip (${options.join(', ')})`] : []
  return [...keys.map((key) => `build.${key}`), ...pip]
}

/** Only pip reads its options, and Cog's own package wants another pydantic. */
function requirementsOf({ config, requirementsText = '' }: Project) {
  const lines = requirementsText.replaceAll(/\\\r?\n/g, ' ').split(/\r?\n/)
  const texts = [...(config.build.python_packages ?? []), ...lines.map((line) => line.replace(/(^|\s)#.*$/, ''))]
  const all = texts.map((line) => line.trim()).filter((line) => line !== '')
  const isCogs = (line: string) => /^(cog|coglet)\s*([=<>!~@[;]|$)/i.test(line)
  return {
    requirements: all.filter((line) => !line.startsWith('-') && !isCogs(line)),
    options: [...new Set(all.flatMap((line) => /(?:^|\s)(-{1,2}[a-z][\w-]*)/.exec(line)?.[1] ?? []))],
    dropped: all.filter(isCogs),
  }
}

function environmentOf({ environment = [] }: CogConfig): Record<string, string> {
  const split = environment.map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)] as const)
  const wrong = environment.find((line) => !/^[A-Za-z_]\w*=/.test(line))
  if (wrong !== undefined) throw new Error(`cog.yaml: environment: "${wrong}" must be like NAME=value`)
  return Object.fromEntries(split)
}

/** The account's secret that a build secret is taken from. */
export const secretName = (id: string): string => id.toUpperCase().replaceAll(/\W/g, '_')

export const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ')
