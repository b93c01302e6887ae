import { keysNotRead, predictorOf, type CogConfig } from './cog-config.ts'
import type { CogPredictor, CogType } from './predictor.ts'

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
  readonly mapped: readonly { readonly key: string; readonly to: string }[]
  /** What is left to do or to know, by the key that it is about. */
  readonly notMapped: readonly { readonly key: string; readonly why: string }[]
}

/** Decides what a project becomes. Pure. Throws a sentence for what no app can be made of. */
export function convert(project: Project): Conversion {
  const { config, predictor } = project
  const hidden = predictor.inputs.find(({ name }) => name.startsWith('_') || name === 'model_config')
  if (hidden !== undefined) throw new Error(`an app cannot have an input that is called ${hidden.name}: rename it`)
  const { requirements, refused, dropped } = requirementsOf(project)
  const kind = imageReasons(config, refused).length > 0 ? 'container' : 'virtualenv'
  const python = /^\d+\.\d+/.exec(config.build.python_version ?? '')?.[0] ?? newestPython
  const multiplexing = config.concurrency?.max ?? predictor.concurrency ?? 1
  const made = {
    project,
    file: predictorOf(config).file,
    kind,
    requirements,
    environment: environmentOf(config),
    multiplexing: predictor.isAsync ? multiplexing : 1,
    machineType: config.build.gpu === true ? 'GPU' : 'S',
    python,
    buildSecrets: (config.build.run ?? []).flatMap((run) =>
      typeof run === 'string' ? [] : run.mounts.map(({ id }) => id),
    ),
  } as const
  return {
    ...made,
    mapped: mappedOf({ ...made, imageReasons: imageReasons(config, refused) }),
    notMapped: notMappedOf(made, dropped),
  }
}

/** What Cog takes if a file does not say. */
const newestPython = '3.13'

/** Why the packages alone do not make the environment. */
function imageReasons({ build }: CogConfig, refused: readonly string[]): readonly string[] {
  const keys = (['system_packages', 'pre_install', 'run'] as const).filter((key) => (build[key] ?? []).length > 0)
  return [
    ...keys.map((key) => `build.${key}`),
    ...(refused.length > 0 ? [`options of pip (${refused.join(', ')})`] : []),
  ]
}

/** The packages, the options of pip among them, and what the app must not have. */
function requirementsOf({ config, requirementsText }: Project) {
  const lines = (requirementsText ?? '').split(/\r?\n/).map((line) => line.replace(/(^|\s)#.*$/, '').trim())
  const all = [...(config.build.python_packages ?? []), ...lines].filter((line) => line !== '')
  const isCogs = (line: string) => /^(cog|coglet)\s*([=<>!~@[;]|$)/i.test(line)
  return {
    requirements: all.filter((line) => !line.startsWith('-') && !isCogs(line)),
    refused: all.filter((line) => line.startsWith('-')).map((line) => line.split(/[\s=]/, 1)[0] ?? line),
    dropped: all.filter(isCogs),
  }
}

function environmentOf({ environment = [] }: CogConfig): Record<string, string> {
  const split = environment.map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)] as const)
  const wrong = environment.find((line) => !/^[A-Za-z_]\w*=/.test(line))
  if (wrong !== undefined) throw new Error(`cog.yaml: environment: "${wrong}" must be like NAME=value`)
  return Object.fromEntries(split)
}

type Decided = Omit<Conversion, 'mapped' | 'notMapped'>

function mappedOf(made: Decided & { readonly imageReasons: readonly string[] }) {
  const { project, kind, requirements, python } = made
  const { build, concurrency } = project.config
  const packages = build.python_packages === undefined ? 'build.python_requirements' : 'build.python_packages'
  const where = kind === 'container' ? 'the Dockerfile' : '`requirements`'
  const said: (readonly [boolean, string, string])[] = [
    [
      true,
      project.config.run === undefined ? 'predict' : 'run',
      `the endpoint \`/\` of fal_app.py, which calls ${made.file}`,
    ],
    [requirements.length > 0, packages, `${where}, ${requirements.length} of them`],
    [made.imageReasons.length > 0, made.imageReasons.join(', '), 'the Dockerfile: so the app is an image'],
    [
      build.gpu !== undefined,
      'build.gpu',
      `\`machine_type = "${made.machineType}"\`${build.gpu ? ', which is any card' : ''}`,
    ],
    [
      build.python_version !== undefined && kind === 'container',
      'build.python_version',
      `\`FROM python:${python}-slim\``,
    ],
    [
      concurrency?.max !== undefined || project.predictor.concurrency !== null,
      'concurrency.max',
      multiplexingText(made),
    ],
    [
      Object.keys(made.environment).length > 0,
      'environment',
      'set before the predictor is loaded, unless a secret of that name is',
    ],
  ]
  return said.filter(([is]) => is).map(([, key, to]) => ({ key, to }))
}

function multiplexingText({ multiplexing, project }: Decided): string {
  return `\`max_multiplexing = ${multiplexing}\`${project.predictor.isAsync ? '' : ', because the predictor is not async'}`
}

function notMappedOf(made: Decided, dropped: readonly string[]) {
  const { project, kind, python, buildSecrets } = made
  const { build, image } = project.config
  const { predictor } = project
  const version = build.python_version
  const said: (readonly [boolean, string, string])[] = [
    [
      version !== undefined || kind === 'container',
      'build.python_version',
      `deploy with a \`fal\` that runs on Python ${python}: the app's class is sent as that Python's code`,
    ],
    [
      build.cuda !== undefined,
      'build.cuda',
      `wheels such as torch's bring CUDA ${build.cuda} along; code that looks for it in the system needs an image with it: change FROM in a Dockerfile`,
    ],
    [
      image !== undefined,
      'image',
      `the name of the image that Cog builds (${image}): the app is built anew. To keep that image, see docs/guides/migrate-from-replicate.md`,
    ],
    [
      dropped.length > 0,
      'build.python_requirements',
      `${dropped.join(', ')} left out: the folder cog/ stands in for it`,
    ],
    [
      buildSecrets.length > 0,
      'build.run',
      `set the secrets that the build mounts: ${buildSecrets.map((id) => `fal secrets set ${secretName(id)}=…`).join(', ')}`,
    ],
    [
      predictor.hasHealthCheck,
      'healthcheck()',
      'nothing asks it: make an endpoint with `health_check=fal.HealthCheck()` that calls it',
    ],
    [predictor.takesWeights, 'setup(weights)', 'it is given what the variable COG_WEIGHTS says, else None'],
    [
      project.tooLarge.length > 0,
      project.tooLarge.join(', '),
      'larger than the 1 GiB that `fal` uploads: put it under /data, or download it in setup',
    ],
  ]
  const ofInputs = predictor.inputs.flatMap(({ name, type, constraints, unread }) => [
    ...unread.map(({ what, source }) => ({ key: `${name}: ${what}`, why: whyUnread(what, oneLine(source)) })),
    ...(isOpen(type)
      ? [{ key: `${name}: type`, why: 'not one of those that Cog has: the app takes anything there' }]
      : []),
    ...(hasFractions(constraints['choices'])
      ? [{ key: `${name}: choices`, why: 'numbers with fractions: the app does not check them' }]
      : []),
  ])
  return [
    ...said.filter(([is]) => is).map(([, key, why]) => ({ key, why })),
    ...keysNotRead(project.config),
    ...ofInputs,
  ]
}

const isOpen = (type: CogType): boolean =>
  'of' in type ? isOpen(type.of) : type.kind === 'any' || type.kind === 'model'

/** Whether choices have numbers of which no type can be made. */
export const hasFractions = (choices: unknown): boolean =>
  Array.isArray(choices) && choices.some((each) => typeof each === 'number' && !Number.isInteger(each))

function whyUnread(what: string, source: string): string {
  if (what === 'default')
    return `only running the program tells what ${source} is: it is used, and the schema does not show it`
  return `only running the program tells what ${source} is: the app does not check it`
}

/** The account's secret that a build secret is taken from. */
export const secretName = (id: string): string => id.toUpperCase().replaceAll(/\W/g, '_')

export const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ')
