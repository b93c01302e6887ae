import { z } from 'zod'

/** Which numbers can be is for `domain/scale.ts` to say. */
const amount = z.number().optional()

/** An empty list is how the wire says nothing. */
const words = z
  .array(z.string())
  .default([])
  .transform((list) => (list.length === 0 ? undefined : list))

/** Scale settings as a deploy or `fal apps scale` names them. What is absent was not said; what is impossible is refused by `domain/scale.ts`. */
export const ScaleInput = z.object({
  keep_alive: amount,
  min_concurrency: amount,
  max_concurrency: amount,
  concurrency_buffer: amount,
  concurrency_buffer_perc: amount,
  scaling_delay: amount,
  request_timeout: amount,
  request_start_timeout: amount,
  max_multiplexing: amount,
  startup_timeout: amount,
  num_gpus: amount,
  valid_regions: words,
  machine_types: words,
})
