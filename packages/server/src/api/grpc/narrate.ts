/** Lines that wait for a reader, at most; later ones are left out. */
const mostUnread = 10_000

/**
 * Runs a task that speaks while it works: yields what it has said since the last time, and returns its result. Fails
 * as the task does, but only after everything it said. The task goes on when nobody reads any longer.
 */
export async function* narrate<Line, Result>(
  task: (say: (line: Line) => void) => Promise<Result>,
): AsyncGenerator<readonly Line[], Result> {
  const bell = { ring: () => {} }
  let unread: Line[] = []
  let over = false
  const running = task((line) => {
    if (unread.length < mostUnread) unread.push(line)
    bell.ring()
  }).finally(() => {
    over = true
    bell.ring()
  })
  running.catch(() => {}) // told at the end, to whoever is still there

  while (!over || unread.length > 0) {
    if (unread.length === 0) await new Promise<void>((resolve) => (bell.ring = resolve))
    const lines = unread
    unread = []
    if (lines.length > 0) yield lines
  }
  return await running
}
