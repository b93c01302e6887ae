import { CarrickError } from '../../domain/errors.ts'
import type { RunnerId } from '../../domain/ids.ts'
import type { ExecSession } from '../backend.ts'

/** Commands beside one runner at a time: each takes a process of ours and three pipes. */
const mostSessions = 32

/** Counts the sessions beside one runner. */
export class Sessions {
  #open = 0

  /** Opens another, if there is room. Throws `too_busy` when there is none. */
  async open(start: () => Promise<ExecSession>): Promise<ExecSession> {
    if (this.#open >= mostSessions) {
      const message = `${this.#open} commands run in this runner already: try again when one has ended`
      throw new CarrickError('too_busy', message)
    }
    this.#open += 1
    try {
      const session = await start()
      void session.exitCode.finally(() => (this.#open -= 1))
      return session
    } catch (error) {
      this.#open -= 1
      throw error
    }
  }
}

/** For a runner that cannot be asked anything. */
export const notAlive = (id: RunnerId) =>
  new CarrickError('runner_not_found', `Runner "${id}" not found: it has not started yet, or has ended`)
