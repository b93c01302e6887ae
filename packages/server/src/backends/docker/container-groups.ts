import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunnerUsage } from '../backend.ts'
import { hierarchiesIn, type Hierarchy } from '../process/cgroup-places.ts'

/** The control groups that the engine made for a container, as far as this server can see them. */
export class ContainerGroups {
  readonly #hierarchies: readonly Hierarchy[]

  constructor(hierarchies: readonly Hierarchy[]) {
    this.#hierarchies = hierarchies
  }

  /** Of the container that this process is in. */
  static async of(pid: number): Promise<ContainerGroups> {
    const [mounts = '', groups = ''] = await Promise.all(
      ['/proc/self/mountinfo', `/proc/${pid}/cgroup`].map((file) => readFile(file, 'utf8').catch(() => '')),
    )
    return new ContainerGroups(hierarchiesIn(mounts, groups))
  }

  /** What it has used; nothing where no group tells. */
  async usage(): Promise<RunnerUsage | undefined> {
    const [nanoseconds, stat, memory] = await Promise.all([
      this.#read('cpuacct', 'cpuacct.usage', undefined),
      this.#read('cpuacct', undefined, 'cpu.stat'),
      this.#read('memory', 'memory.usage_in_bytes', 'memory.current'),
    ])
    const cpuSeconds = nanoseconds ? Number(nanoseconds) / 1e9 : Number(/^usage_usec (\d+)$/m.exec(stat)?.[1]) / 1e6
    return memory === '' || Number.isNaN(cpuSeconds) ? undefined : { cpuSeconds, memoryBytes: Number(memory) }
  }

  /** The file that changes when the kernel refuses it another process or thread. */
  get refusedTasks(): string | undefined {
    return this.#fileOf('pids', 'pids.events', 'pids.events')
  }

  async #read(controller: string, v1: string | undefined, v2: string | undefined): Promise<string> {
    const file = this.#fileOf(controller, v1, v2)
    return file === undefined ? '' : readFile(file, 'utf8').catch(() => '')
  }

  /** A controller is in a hierarchy of version 1, or in the one of version 2. */
  #fileOf(controller: string, v1: string | undefined, v2: string | undefined): string | undefined {
    const first = this.#hierarchies.find(({ controllers }) => controllers.includes(controller))
    const found = first ?? this.#hierarchies.find(({ version }) => version === 2)
    const name = first ? v1 : v2
    return found === undefined || name === undefined ? undefined : join(found.own, name)
  }
}
