import { execFile } from 'node:child_process'
import type { Gpu } from '../domain/machine.ts'

/** What `nvidia-smi` said: the GPUs, and what is wrong as half a sentence where it could not be asked or understood. */
export interface GpuReport {
  readonly gpus: readonly Gpu[]
  readonly trouble?: string
}

const question = ['--query-gpu=index,uuid,name,memory.total', '--format=csv,noheader,nounits']
const mostBytes = 1024 ** 2

/**
 * Asks `nvidia-smi` for the GPUs of this machine. A machine without that program has none, which is known at once. One that
 * does not answer within `timeoutMs` is killed and not waited for: a driver can hang so that nothing ends it.
 */
export async function askNvidiaSmi({
  program = 'nvidia-smi',
  path = process.env['PATH'] ?? '',
  timeoutMs = 20_000,
}: { program?: string; path?: string; timeoutMs?: number } = {}): Promise<GpuReport> {
  const answered = Promise.withResolvers<GpuReport>()
  // As C, so that no locale changes a decimal point.
  const env = { PATH: path, LC_ALL: 'C' }
  const child = execFile(program, question, { env, maxBuffer: mostBytes }, (error, out) => {
    if (error === null) answered.resolve(gpusIn(out))
    else if (error.code === 'ENOENT') answered.resolve({ gpus: [] })
    else answered.resolve({ gpus: [], trouble: troubleOf(error, out) })
  })
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
    child.unref()
    child.stdout?.destroy()
    child.stderr?.destroy()
    answered.resolve({ gpus: [], trouble: `nvidia-smi did not answer within ${timeoutMs / 1_000} s` })
  }, timeoutMs)
  const report = await answered.promise
  clearTimeout(timer)
  return report
}

function troubleOf(error: Error & { code?: unknown }, out: string): string {
  const [said = ''] = out.trim().split('\n')
  return `nvidia-smi failed${typeof error.code === 'number' ? ` with exit code ${error.code}` : `: ${error.message}`}${said === '' ? '' : `: ${said}`}`
}

/** A line for each GPU: index, UUID, name, MiB. Anything may be `[N/A]` but the index and the name. */
function gpusIn(text: string): GpuReport {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const read = lines.map((line) => ({ line, gpu: gpuIn(line) }))
  const found = read.flatMap(({ gpu }) => (gpu === undefined ? [] : [gpu]))
  const gpus = [...new Map(found.map((gpu) => [gpu.index, gpu])).values()]
  const strange = read.find(({ gpu }) => gpu === undefined)?.line
  return strange === undefined
    ? { gpus }
    : { gpus, trouble: `nvidia-smi said ${JSON.stringify(strange.slice(0, 200))}, which is no GPU` }
}

function gpuIn(line: string): Gpu | undefined {
  const [index = '', uuid = '', ...rest] = line.split(',').map((part) => part.trim())
  const memory = rest.at(-1) ?? ''
  const name = rest.slice(0, -1).join(', ')
  if (!/^\d{1,3}$/.test(index) || name === '' || !isKnown(name)) return undefined
  return {
    index: Number(index),
    name,
    ...(isKnown(uuid) ? { uuid } : {}),
    ...(/^\d+$/.test(memory) ? { memoryBytes: Number(memory) * 1024 ** 2 } : {}),
  }
}

const isKnown = (word: string): boolean => word !== '' && !/^\[.*\]$/.test(word)
