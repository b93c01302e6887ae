let works: (() => void)[] = []

/**
 * Does something at the end of this turn of the event loop, when all that has come was read; in the order in which it was asked for. Writes
 * to sockets that are left for then come at once, so a reader on this machine wakes for all of them together: where each is
 * written as it comes up, to wake the reader is what it costs most.
 */
export function atTurnsEnd(work: () => void): void {
  if (works.push(work) === 1) setImmediate(doAll)
}

function doAll(): void {
  const all = works
  works = []
  for (const work of all) work()
}
