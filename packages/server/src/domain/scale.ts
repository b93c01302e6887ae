import { CarrickError } from './errors.ts'

/** Every number that decides how many runners there are and how they are used. The field's words (design §8). */
export interface ScaleSettings {
  readonly keep_alive: number
  readonly min_concurrency: number
  readonly max_concurrency: number
  readonly concurrency_buffer: number
  readonly concurrency_buffer_perc: number
  readonly scaling_delay: number
  readonly request_timeout: number
  /** Absent: requests may wait for ever to start. */
  readonly request_start_timeout?: number
  readonly valid_regions: readonly string[]
  readonly max_multiplexing: number
  readonly startup_timeout: number
  readonly machine_types: readonly string[]
  /** GPUs of each runner on a machine type that has any. Absent: one. */
  readonly num_gpus?: number
}

export const serverDefaults: ScaleSettings = {
  keep_alive: 10,
  min_concurrency: 0,
  max_concurrency: 2,
  concurrency_buffer: 0,
  concurrency_buffer_perc: 0,
  scaling_delay: 0,
  request_timeout: 3_600,
  valid_regions: [],
  max_multiplexing: 1,
  startup_timeout: 600,
  machine_types: ['XS'],
}

/** Settings as somebody names them: what is absent was not said. */
export type ScaleChanges = { readonly [name in keyof ScaleSettings]?: ScaleSettings[name] | undefined }

/** What the code says, with the server's defaults for the rest. A floor above the default cap lifts the cap. */
export function scaleInCode(said: ScaleChanges): ScaleSettings {
  const cap = Math.max(serverDefaults.max_concurrency, said.min_concurrency ?? 0)
  return changedScale({ ...serverDefaults, max_concurrency: cap }, said)
}

/** The settings with what was said. 0 takes `request_start_timeout` away. Throws `invalid_value` for impossible ones. */
export function changedScale(scale: ScaleSettings, said: ScaleChanges): ScaleSettings {
  const changes = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
  const { request_start_timeout, ...changed }: ScaleSettings = { ...scale, ...changes }
  return checkScale(request_start_timeout ? { ...changed, request_start_timeout } : changed)
}

/**
 * What is live after a deploy: what can be tuned stays as it was tuned unless it is reset, what belongs to the code
 * comes with the code. `live` is absent at a first deploy.
 */
export function scaleForDeploy(live: ScaleSettings | undefined, code: ScaleSettings, reset: boolean): ScaleSettings {
  return live === undefined || reset ? code : scaleForSetRev(live, code)
}

/** What is live after another revision became the active one. */
export function scaleForSetRev(live: ScaleSettings, target: ScaleSettings): ScaleSettings {
  const { max_multiplexing, startup_timeout, machine_types, num_gpus } = target
  const { num_gpus: _, ...tuned } = live
  return { ...tuned, max_multiplexing, startup_timeout, machine_types, ...(num_gpus === undefined ? {} : { num_gpus }) }
}

/** Throws `invalid_value` with a sentence for the first setting that cannot be; answers the settings. */
function checkScale(scale: ScaleSettings): ScaleSettings {
  for (const [name, { least, most }] of limits) {
    const value = scale[name]
    if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) continue
    const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
    throw new CarrickError('invalid_value', `${name} is ${value}, but must be a whole number ${range}`)
  }
  const { min_concurrency: floor, max_concurrency: cap, machine_types: types } = scale
  if (floor > cap) {
    const message = `min_concurrency (${floor}) is above max_concurrency (${cap}): lower the first or raise the second`
    throw new CarrickError('invalid_value', message)
  }
  if (types.length === 0) throw new CarrickError('invalid_value', 'machine_types must name at least one machine type')
  return scale
}

type Amount = Exclude<keyof ScaleSettings, 'valid_regions' | 'machine_types'>

const any = Number.MAX_SAFE_INTEGER
const limits: readonly (readonly [Amount, { least: number; most: number }])[] = [
  ['keep_alive', { least: 0, most: any }],
  ['min_concurrency', { least: 0, most: any }],
  ['max_concurrency', { least: 1, most: any }],
  ['concurrency_buffer', { least: 0, most: any }],
  ['concurrency_buffer_perc', { least: 0, most: 1_000 }],
  ['scaling_delay', { least: 0, most: any }],
  ['request_timeout', { least: 1, most: 86_400 }],
  ['request_start_timeout', { least: 1, most: any }],
  ['max_multiplexing', { least: 1, most: 1_000 }],
  ['startup_timeout', { least: 1, most: 7_200 }],
  ['num_gpus', { least: 0, most: 8 }],
]
