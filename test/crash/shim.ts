import { execFileSync } from 'node:child_process'
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const source = new URL('./shim.c', import.meta.url).pathname

/** A preloaded library that lets fsyncs fail and steps the clock of the server, `shim.c`. */
export class Shim {
  /** What a server's environment needs. */
  readonly variables: Record<string, string>
  /** Written in place: servers have the file in their memory. */
  readonly #orders: number
  #aheadMs = 0

  private constructor(library: string, orders: string) {
    this.#orders = openSync(orders, 'w+')
    this.variables = { LD_PRELOAD: library, CRASH_SHIM: orders }
    this.#write(0)
  }

  /** Compiles it into a folder; undefined where there is no C compiler. */
  static compileInto(folder: string): Shim | undefined {
    const library = join(folder, 'shim.so')
    try {
      execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl'])
    } catch {
      return undefined
    }
    return new Shim(library, join(folder, 'shim-orders'))
  }

  /** The so-many-th fsync from now on fails; 0 for none. */
  failFsync(count: number): void {
    this.#write(count)
  }

  /** Sets the clock of servers this far ahead of the machine's, also of those that are up. */
  setClock(aheadMs: number): void {
    this.#aheadMs = aheadMs
    this.#write(0)
  }

  #write(failing: number): void {
    const orders = new BigInt64Array([BigInt(Math.round(this.#aheadMs)) * 1_000_000n, BigInt(failing)])
    writeSync(this.#orders, new Uint8Array(orders.buffer), 0, 16, 0)
  }
}
