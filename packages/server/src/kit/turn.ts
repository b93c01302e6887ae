let works: (() => void)[] = []

/**
 * Does something at the end of this turn of the event loop, when all that has come was read; in the order in which it was asked for. Writes
 * to sockets that are left for then come at once, so a reader on this machine wakes for all of them together: where each is
 * written as it comes up, to wake the reader is what it costs most.
 */
export function atTurnsEnd(work: () => void): void {
  if (works.push(work) === 1) setImmediate(doAll)
}

/** What throws is told as everywhere, and keeps nobody else's from being done. */
function doAll(): void {
  const all = works
  let done = 0
  works = []
  try {
    for (const work of all) {
      done += 1
      work()
    }
  } finally {
    if (done < all.length) {
      works = [...all.slice(done), ...works]
      setImmediate(doAll)
    }
  }
}

let came = 0
let cameLast = 0

/** Does something at once where it is alone, and at the turn's end where the last turn that had any such had several. */
export function withOthers(work: () => void): void {
  came += 1
  if (came === 1) setImmediate(startAnew)
  if (cameLast > 1) atTurnsEnd(work)
  else work()
}

function startAnew(): void {
  cameLast = came
  came = 0
}
