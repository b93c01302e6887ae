import { z } from 'zod'
import type { ScaleSettings } from '../domain/scale.ts'

const amount = z.number().int().optional()

/** Scale settings as a deploy or `fal apps scale` names them. What is absent, or empty, was not said. */
export const ScaleChanges = z.object({
  keep_alive: amount,
  min_concurrency: amount,
  max_concurrency: amount,
  concurrency_buffer: amount,
  concurrency_buffer_perc: amount,
  scaling_delay: amount,
  request_timeout: amount,
  /** 0 takes the limit away. */
  request_start_timeout: amount,
  max_multiplexing: amount,
  startup_timeout: amount,
  valid_regions: z.array(z.string()).default([]),
  machine_types: z.array(z.string()).default([]),
})
export type ScaleChanges = z.output<typeof ScaleChanges>
export declare function codeScale(a: ScaleChanges): ScaleSettings
export declare function liveScale(a: ScaleSettings, b: ScaleSettings): ScaleSettings
export declare function changedScale(a: ScaleSettings, b: ScaleChanges): ScaleSettings
