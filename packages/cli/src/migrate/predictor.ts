import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const reader = fileURLToPath(new URL('./python/read_predictor.py', import.meta.url))

export type CogType =
  | { readonly kind: 'str' | 'int' | 'float' | 'bool' | 'path' | 'file' | 'secret' | 'any' | 'dict' | 'none' }
  | { readonly kind: 'list' | 'optional' | 'iterator'; readonly of: CogType }
  | { readonly kind: 'literal'; readonly values: readonly Literal[] }
  | { readonly kind: 'model'; readonly name: string }

const literal = z.union([z.string(), z.number(), z.boolean(), z.null()])
export type Literal = z.infer<typeof literal>

const plainKinds = ['str', 'int', 'float', 'bool', 'path', 'file', 'secret', 'any', 'dict', 'none'] as const
const cogType: z.ZodType<CogType> = z.lazy(() =>
  z.union([
    z.object({ kind: z.enum(plainKinds) }),
    z.object({ kind: z.enum(['list', 'optional', 'iterator']), of: cogType }),
    z.object({ kind: z.literal('literal'), values: z.array(literal) }),
    z.object({ kind: z.literal('model'), name: z.string() }),
  ]),
)

const input = z.object({
  name: z.string(),
  type: cogType,
  /** It may be left out; its default is in predict.py, and here where it can be read. */
  optional: z.boolean().default(false),
  default: z.json().optional(),
  constraints: z.record(z.string(), z.json()),
  /** What only running predict.py would tell. */
  unread: z.array(z.object({ what: z.string(), source: z.string() })),
})
const field = z.object({ name: z.string(), type: cogType, optional: z.boolean() })
const predictor = z.object({
  className: z.string(),
  method: z.string(),
  doc: z.string().nullable(),
  isAsync: z.boolean(),
  takesWeights: z.boolean(),
  hasHealthCheck: z.boolean(),
  concurrency: z.number().nullable(),
  inputs: z.array(input),
  output: cogType,
  models: z.array(z.object({ name: z.string(), fields: z.array(field) })),
})

export type CogInput = z.infer<typeof input>
export type CogPredictor = z.infer<typeof predictor>

const patienceMs = 30_000
const mostBytes = 16 * 1024 * 1024

/**
 * What a class of a Python program takes and gives. `python3` parses the program and never runs it. Throws a sentence, with
 * the line, for a program or a class that cannot be read.
 */
export async function readPredictor(program: string, source: string, className: string): Promise<CogPredictor> {
  const text = await new Promise<string>((resolve, reject) => {
    const options = { timeout: patienceMs, maxBuffer: mostBytes }
    const child = execFile('python3', ['-I', '-S', reader, className], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(refusal(program, error, stderr.trim()), { cause: error }))
    })
    child.stdin?.on('error', () => {}) // it has ended: its end says why
    child.stdin?.end(source)
  })
  return predictor.parse(JSON.parse(text))
}

function refusal(program: string, error: { code?: string | number | null }, said: string): string {
  if (error.code === 'ENOENT') return `reading ${program} takes python3, and there is none on the PATH`
  return `${program} cannot be read: ${error.code === 3 ? said : `python3 failed: ${said.split('\n').at(-1)}`}`
}
