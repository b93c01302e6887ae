import type { Duplex } from 'node:stream'

/**
 * Joins two connections byte by byte, each as fast as the other is read, until both are closed. The end of one direction
 * is its end at the other connection too; the other direction goes on. Never rejects. Plain pipes, and no more listeners
 * than they need: thousands of these are open at a time.
 */
export function joinBytes(one: Duplex, other: Duplex): Promise<unknown> {
  one.pipe(other)
  other.pipe(one)
  return Promise.all([closing(one, other), closing(other, one)])
}

/** What has closed takes the other along: after its last bytes where it came to an end, at once where it broke. */
function closing(one: Duplex, other: Duplex): Promise<void> {
  one.on('error', () => {}) // followed by `close`
  return new Promise((resolve) => {
    const follow = () => {
      if (one.readableEnded) other.end(() => other.destroy())
      else other.destroy()
      resolve()
    }
    if (one.closed) follow()
    else one.once('close', follow)
  })
}
