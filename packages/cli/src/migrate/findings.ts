import { keysNotRead } from './cog-config.ts'
import { oneLine, secretName, type Conversion } from './conversion.ts'
import { hasFractions } from './model-source.ts'
import type { CogInput, CogType } from './predictor.ts'

/** What was made of what, by the key of cog.yaml. */
export function mapped(made: Conversion): { readonly key: string; readonly to: string }[] {
  const { project, kind, requirements, python } = made
  const { build, concurrency } = project.config
  const packages = build.python_packages === undefined ? 'build.python_requirements' : 'build.python_packages'
  const where = kind === 'container' ? 'the Dockerfile' : '`requirements`'
  const said: Said[] = [
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
  return those(said).map(({ key, why }) => ({ key, to: why }))
}

function multiplexingText({ multiplexing, project }: Conversion): string {
  return `\`max_multiplexing = ${multiplexing}\`${project.predictor.isAsync ? '' : ', because the predictor is not async'}`
}

/** What is left to do or to know, by the key or the input that it is about. */
export function notMapped(made: Conversion): { readonly key: string; readonly why: string }[] {
  const { config, predictor } = made.project
  return [...ofConfig(made), ...ofPredictor(made), ...keysNotRead(config), ...predictor.inputs.flatMap(ofInput)]
}

type Said = readonly [is: boolean, key: string, why: string]
const those = (said: readonly Said[]) => said.filter(([is]) => is).map(([, key, why]) => ({ key, why }))

function ofConfig({ project, kind, python, buildSecrets, dropped }: Conversion) {
  const { build, image } = project.config
  const wheels = `wheels such as torch's bring CUDA ${build.cuda} along; code that looks for it in the system needs an image with it: change FROM in a Dockerfile`
  const anew = `the name of the image that Cog builds (${image}): the app is built anew. To keep that image, see docs/guides/keep-a-cog-image.md`
  const secrets = buildSecrets.map((id) => `fal secrets set ${secretName(id)}=…`).join(', ')
  const sent = `deploy with a \`fal\` that runs on Python ${python}: the app's class is sent as that Python's code`
  return those([
    [build.python_version !== undefined || kind === 'container', 'build.python_version', sent],
    [build.cuda !== undefined, 'build.cuda', wheels],
    [image !== undefined, 'image', anew],
    [
      dropped.length > 0,
      'build.python_requirements',
      `${dropped.join(', ')} left out: the folder cog/ stands in for it`,
    ],
    [buildSecrets.length > 0, 'build.run', `set the secrets that the build mounts: ${secrets}`],
  ])
}

function ofPredictor({ project: { predictor, tooLarge } }: Conversion) {
  const health = 'nothing asks it: make an endpoint with `health_check=fal.HealthCheck()` that calls it'
  const large = 'larger than the 1 GiB that `fal` uploads: put it under /data, or download it in setup'
  return those([
    [predictor.hasHealthCheck, 'healthcheck()', health],
    [predictor.takesWeights, 'setup(weights)', 'it is given what the variable COG_WEIGHTS says, else None'],
    [tooLarge.length > 0, tooLarge.join(', '), large],
  ])
}

function ofInput({ name, type, constraints, unread }: CogInput) {
  const open = 'not one of those that Cog has: the app takes anything there'
  const fractions = 'numbers with fractions: the app does not check them'
  return [
    ...unread.map(({ what, source }) => ({ key: `${name}: ${what}`, why: whyUnread(what, oneLine(source)) })),
    ...those([
      [isOpen(type), `${name}: type`, open],
      [hasFractions(constraints['choices']), `${name}: choices`, fractions],
    ]),
  ]
}

const isOpen = (type: CogType): boolean =>
  'of' in type ? isOpen(type.of) : type.kind === 'any' || type.kind === 'model'

function whyUnread(what: string, source: string): string {
  if (what === 'default')
    return `only running the program tells what ${source} is: it is used, and the schema does not show it`
  return `only running the program tells what ${source} is: the app does not check it`
}
