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
}
