import { parseDocument } from 'yaml'
import { z } from 'zod'

const texts = z.array(z.union([z.string(), z.number()]).transform(String))
const version = z.union([z.string(), z.number()]).transform(String)
const command = z.union([
  z.string(),
  z.object({
    command: z.string(),
    mounts: z.array(z.object({ type: z.string(), id: z.string(), target: z.string() })),
  }),
])

const build = z.looseObject({
  python_version: version.optional(),
  python_packages: texts.optional(),
  python_requirements: z.string().optional(),
  system_packages: texts.optional(),
  pre_install: texts.optional(),
  run: z.array(command).optional(),
  gpu: z.boolean().optional(),
  cuda: version.optional(),
})

/** What is read of a cog.yaml; more keys may be there, and `keysNotRead` names them. */
const schema = z.looseObject({
  build: build.optional().transform((value) => value ?? build.parse({})),
  predict: z.string().optional(),
  run: z.string().optional(),
  concurrency: z.looseObject({ max: z.number().int().min(1).optional() }).optional(),
  environment: texts.optional(),
  image: z.string().optional(),
})

export type CogConfig = z.infer<typeof schema>
export type RunCommand = z.infer<typeof command>

/** Reads the text of a cog.yaml. Throws a sentence with the line where it is not YAML, or with the key that is wrong. */
export function readCogConfig(text: string): CogConfig {
  const document = parseDocument(text, { version: '1.2' })
  const [error] = document.errors
  if (error !== undefined) throw new Error(`cog.yaml is not YAML: ${error.message.split('\n', 1)[0]}`)
  const read = schema.safeParse(document.toJS({ maxAliasCount: 100 }))
  if (read.success) return read.data
  const [{ path, message } = { path: [], message: 'it is empty' }] = read.error.issues
  throw new Error(`cog.yaml: ${path.length === 0 ? 'the file' : path.join('.')}: ${message}`)
}

/** Where the predictor is: `predict.py` and `Predictor` of `predict.py:Predictor`. Newer files call the key `run`. */
export function predictorOf({ predict, run }: CogConfig): { readonly file: string; readonly className: string } {
  const reference = run ?? predict
  if (reference === undefined) throw new Error('cog.yaml names no predictor: it has no key `predict` (or `run`)')
  const [, file = '', className = ''] = /^((?:[\w-]+\/)*[\w-]+\.py):(\w+)$/.exec(reference) ?? []
  if (file !== '') return { file, className }
  throw new Error(`cog.yaml: the predictor is "${reference}", and it must be like predict.py:Predictor`)
}

/** The keys of a cog.yaml that are known and mean something here; the others are named in the report. */
const read = new Set([...Object.keys(build.shape).map((key) => `build.${key}`), ...Object.keys(schema.shape)])

/** Keys that say how Cog itself is built, which an app does not need. */
const cogsOwn = new Set(['build.sdk_version', 'build.fast', 'build.cog_runtime', 'build.python_install_manual'])

/** Every key that nothing is made of, with what there is to know about it. */
export function keysNotRead(config: CogConfig): { readonly key: string; readonly why: string }[] {
  const inside = (prefix: string, value: object | undefined) =>
    Object.keys(value ?? {}).map((key) => `${prefix}.${key}`)
  const keys = [...Object.keys(config), ...inside('build', config.build)].filter((key) => !read.has(key))
  const others = inside('concurrency', config.concurrency).filter((key) => key !== 'concurrency.max')
  return [...keys, ...others].map((key) => ({
    key,
    why: reasons[key] ?? (cogsOwn.has(key) ? ownReason : unknownReason),
  }))
}

const ownReason = "it is about Cog's own runtime, which the app does not have"
const unknownReason = 'nothing here corresponds to it: look whether your predictor needs it'
const reasons: Readonly<Record<string, string | undefined>> = {
  train: 'training has no counterpart: make an endpoint, or an app, of your own for it',
  weights: 'put them where a runner finds them: into the image, or under /data',
  tests: 'tests stay with Cog',
}
