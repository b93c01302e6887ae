import type { ContainerSetting } from '../setting.ts'
import type { Making } from './making.ts'
import { pullWithPodman } from '../engine/podman.ts'

/** How often people are told how far it is. */
const tellEveryMs = 5_000

interface PullMessage {
  readonly id?: string
  readonly error?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number }
}

/** Pulls an image, telling how far it is. Throws the registry's own words when it cannot be had. */
export async function pullImage(
  reference: string,
  { engine, authFor }: Pick<ContainerSetting, 'engine' | 'authFor'>,
  { signal, onPulling, say }: Making,
): Promise<void> {
  onPulling()
  say(`Pulling the image ${reference}`)
  const authconfig = await authFor(reference)
  if (engine.facts.kind === 'podman') {
    await pullWithPodman(engine.docker, reference, { authconfig, signal, onLine: say })
    return
  }
  const stream = await engine.docker.pull(reference, { abortSignal: signal, ...(authconfig && { authconfig }) })
  const layers = new Map<string, { readonly current: number; readonly total: number }>()
  let told = performance.now()
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) learn(line, layers)
    if (performance.now() - told < tellEveryMs) continue
    told = performance.now()
    say(progressOf(reference, layers))
  }
  learn(rest, layers)
}

function learn(line: string, layers: Map<string, { readonly current: number; readonly total: number }>): void {
  if (line.trim() === '') return
  const { id, error, progressDetail } = JSON.parse(line) as PullMessage
  if (error !== undefined) throw new Error(error)
  const { current = 0, total = 0 } = progressDetail ?? {}
  if (id !== undefined && total > 0) layers.set(id, { current, total })
}

function progressOf(
  reference: string,
  layers: ReadonlyMap<string, { readonly current: number; readonly total: number }>,
) {
  const sum = (of: 'current' | 'total') => Array.from(layers.values(), (each) => each[of]).reduce((a, b) => a + b, 0)
  const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20)
  return `Pulling the image ${reference}: ${mebibytes(sum('current'))} of ${mebibytes(sum('total'))} MiB`
}
