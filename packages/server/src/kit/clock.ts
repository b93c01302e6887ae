/** A moment: milliseconds since 1970, by the installation's own clock. */
export type Moment = number

/** The only thing that tells time. Tests stand it still and move it by hand. */
export interface Clock {
  now(): Moment
}

/**
 * The epoch at process start plus monotonic time, so that stepping the machine's clock changes nothing.
 * `notBefore` is the newest stored moment: time never runs behind what is already written.
 */
export function systemClock(notBefore: Moment = 0): Clock {
  const epoch = Math.max(Date.now(), notBefore) - performance.now()
  return { now: () => Math.floor(epoch + performance.now()) }
}
