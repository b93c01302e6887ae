import type { Address } from './runner.ts'

const loopback = /^(?:127\.|::1$)/
/** How many of what it listens on are named. */
const mostNamed = 5

/**
 * What a runner that was not ready in time did about the port where its calls go, for whoever deployed it. `listening` is
 * where it was seen to listen, undefined where that cannot be seen. Nothing is wrong with the port when it is open to others.
 */
export function whyNotReached(port: number, listening: readonly Address[] | undefined): string | undefined {
  const expected = `port ${port} (exposed_port), where its calls go`
  if (listening === undefined) return `The server of this runner did not answer at ${expected}, within startup_timeout.`
  const there = listening.filter((each) => each.port === port)
  if (there.some(({ host }) => !loopback.test(host))) return undefined
  if (there.length > 0)
    return `The server of this runner listened on ${named(there)} only, where no call can reach it: let it bind 0.0.0.0.`
  const what = `Nothing in this runner listened on ${expected}, within startup_timeout.`
  if (listening.length === 0) return what
  return `${what} It listened on ${named(listening)}: deploy it with the port that it binds, or let it bind 0.0.0.0:${port}.`
}

function named(all: readonly Address[]): string {
  const places = [
    ...new Set(all.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`))),
  ]
  const shown = places.slice(0, mostNamed).join(', ')
  return places.length > mostNamed ? `${shown} and ${places.length - mostNamed} more` : shown
}
