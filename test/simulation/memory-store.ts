import { DatabaseSync } from 'node:sqlite'
import { CarrickError } from '../../packages/server/src/domain/errors.ts'
import { Listeners } from '../../packages/server/src/store/changes.ts'
import { knownMigrations } from '../../packages/server/src/store/migrations.ts'
import { runGroup } from '../../packages/server/src/store/sqlite/run-group.ts'
import { flattenEnds, unflattenEnds } from '../../packages/server/src/store/sqlite/flat-ends.ts'
import { flattenGroup, unflattenGroup } from '../../packages/server/src/store/sqlite/flat-group.ts'
import { unpackRows } from '../../packages/server/src/store/sqlite/packed.ts'
import { migrate } from '../../packages/server/src/store/sqlite/migrate.ts'
import { Statements } from '../../packages/server/src/store/sqlite/statements.ts'
import type { Read, Row, Store, Write } from '../../packages/server/src/store/store.ts'
import type { Chance } from '../crash/chance.ts'
import type { VirtualTime } from './virtual-time.ts'

interface Waiting {
  readonly write: Write<unknown>
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * The platform's own SQL on its own schema, in memory and in this thread: a commit takes a moment of virtual time. What
 * a server had handed over when it ended may have happened or not, and nobody is told.
 */
export class MemoryStore {
  readonly #database = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true })
  readonly #statements = new Statements(this.#database)
  readonly #time: VirtualTime
  readonly #chance: Chance
  /** While it is true, nothing can be written. */
  isFull = false
  commits = 0

  constructor(time: VirtualTime, chance: Chance) {
    this.#time = time
    this.#chance = chance
    migrate(this.#database, this.#statements, knownMigrations())
  }

  /** As one server has it. Once the signal says that it ended, nothing is answered any more. */
  connect(ended: AbortSignal): Store {
    const listeners = new Listeners()
    let waiting: Waiting[] = []
    const flush = (): void => {
      const group = waiting
      waiting = []
      if (ended.aborted && this.#chance.next() < 0.5) return
      const told = this.#commit(group)
      if (ended.aborted) return
      for (const tell of told) tell()
      const touched = new Set(group.flatMap(({ write }) => write.touches))
      for (const topic of touched) listeners.tell(topic)
    }
    return {
      commit: <T>(write: Write<T>) =>
        new Promise<T>((resolve, reject) => {
          if (ended.aborted) return
          waiting.push({ write, resolve: resolve as (result: unknown) => void, reject })
          if (waiting.length === 1) this.#time.after(this.#chance.between(1, 4), flush)
        }),
      read: async <T>(read: Read<T>): Promise<T> => {
        if (ended.aborted) await new Promise(() => {})
        return this.look(read)
      },
      onChange: (topic, listener) => listeners.add(topic, listener),
      close: async () => {},
    }
  }

  /** What the world reads: at once. */
  look<T>({ statement, result }: Read<T>): T {
    return result(this.rows(statement.text, statement.values))
  }

  rows(text: string, values: Read<unknown>['statement']['values'] = []): readonly Row[] {
    return unpackRows(this.#statements.find(text, values))
  }

  #commit(group: readonly Waiting[]): readonly (() => void)[] {
    if (this.isFull)
      return group.map(
        ({ reject }) =>
          () =>
            reject(new CarrickError('disk_full', 'the disk is full')),
      )
    this.commits += 1
    const flat = flattenGroup(group.map(({ write }) => write.statements))
    const { ends } = runGroup(this.#database, this.#statements, unflattenGroup(flat))
    return unflattenEnds(flattenEnds(ends)).map((ended, at) => {
      const { write, resolve, reject } = group[at]!
      return 'error' in ended ? () => reject(ended.error) : () => resolve(write.result(ended.results))
    })
  }
}
