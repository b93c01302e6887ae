/** How often runners were frozen and went on since the server started, over all apps. */
export class FreezeCounts {
  freezes = 0
  thaws = 0
  /** From the moment that something was to be sent to a frozen runner until it went on, all of them together. */
  thawMs = 0
  /** Runners that could not go on: they were ended. */
  failedThaws = 0
}
