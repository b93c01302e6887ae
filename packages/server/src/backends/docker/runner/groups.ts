import { readFileSync, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunnerUsage } from '../../backend.ts'
import { hierarchiesIn, type Hierarchy } from '../../process/groups/places.ts'

const lookEveryMs = 500

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

  /** Calls back when the kernel has refused it another process or thread. */
  whenTaskRefused(refused: () => void, signal: AbortSignal): void {
    const file = this.#fileOf('pids', 'pids.events', 'pids.events')
    if (file === undefined) return
    const look = () => /^max [1-9]/m.test(textOf(file)) && refused()
    // Version 1 has the file, and kernels that tell nobody when it changes.
    const timer = this.#versionOf('pids') === 1 ? setInterval(look, lookEveryMs).unref() : undefined
    signal.addEventListener('abort', () => clearInterval(timer), { once: true })
    try {
      const watcher = watch(file, { signal, persistent: false }, look)
      watcher.on('error', () => watcher.close()) // the group is gone
    } catch {
      // not every kernel has it
    }
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

  #versionOf(controller: string): 1 | 2 {
    return this.#hierarchies.some(({ controllers }) => controllers.includes(controller)) ? 1 : 2
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8') // a few bytes that are in memory: less than asking another thread for them
  } catch {
    return ''
  }
}
