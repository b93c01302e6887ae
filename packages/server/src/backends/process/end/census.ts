import { allWithEnvironment, type Proc } from '../proc.ts'

/** A process, and the runner that it says it is of. */
export interface Counted extends Proc {
  readonly runner: string | undefined
  readonly installation: string | undefined
}

/**
 * Counts the machine's processes. A count costs a few files for each of them, and fifty runners may end at once: so those who
 * ask while one is being taken share the next, which begins after they asked.
 */
export class Census {
  #current: Promise<readonly Counted[]> | undefined
  #next: Promise<readonly Counted[]> | undefined

  take(): Promise<readonly Counted[]> {
    if (this.#current === undefined) return this.#begin()
    this.#next ??= this.#current.then(
      () => this.#begin(),
      () => this.#begin(),
    )
    return this.#next
  }

  #begin(): Promise<readonly Counted[]> {
    const taken = count().finally(() => {
      if (this.#current === taken) this.#current = undefined
    })
    this.#next = undefined
    this.#current = taken
    return taken
  }
}

async function count(): Promise<readonly Counted[]> {
  return (await allWithEnvironment()).map(({ environment, ...proc }) => ({
    ...proc,
    runner: environment.get('CARRICK_RUNNER_ID'),
    installation: environment.get('CARRICK_INSTALLATION'),
  }))
}
