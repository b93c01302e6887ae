import type { Socket } from 'node:net'

/** Connects within so many milliseconds, or rejects as a connection does, with a `code`. */
export type Dial = (limitMs: number) => Promise<Socket>

interface Place {
  readonly host: string
  readonly port: number
}

/** Nearer ways to addresses of this machine than its network: whoever serves there opens one, and whoever calls takes it. */
export class WaysIn {
  readonly #ways = new Map<string, Dial>()

  open(place: Place, dial: Dial): void {
    this.#ways.set(keyOf(place), dial)
  }

  close(place: Place): void {
    this.#ways.delete(keyOf(place))
  }

  /** Undefined where the network is the way. */
  to(place: Place): Dial | undefined {
    return this.#ways.get(keyOf(place))
  }
}

const keyOf = ({ host, port }: Place): string => `${host}:${port}`
