import type { Maintained, Maintenance } from '../domain/maintenance.ts'
import { beginMaintenance, endMaintenance, maintenances } from '../store/maintenance.ts'
import type { Store } from '../store/store.ts'

/** The machines that are in maintenance, in memory as in the store. */
export class Maintenances {
  readonly #store: Store
  #byMachine: Maintained = new Map()

  constructor(store: Store) {
    this.#store = store
  }

  get all(): Maintained {
    return this.#byMachine
  }

  /** Reads what the store holds. */
  async load(): Promise<void> {
    const stored = await this.#store.read(maintenances())
    this.#byMachine = new Map(stored.map((each) => [each.machineId, each]))
  }

  /** From here on no runner gets a place on that machine. */
  async begin(maintenance: Maintenance): Promise<void> {
    await this.#store.commit(beginMaintenance(maintenance))
    await this.load()
  }

  async end(machineId: string): Promise<void> {
    await this.#store.commit(endMaintenance(machineId))
    await this.load()
  }
}
