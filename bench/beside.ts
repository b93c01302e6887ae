import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Gives a process a control group beside another's, with as much of the processor: a container has one, and on a busy machine
 * one that has none gets several times as much. Undone when it is let go of, once the process has ended or by then.
 */
export function beside(other: number, pid: number): Disposable {
  const place = groupOf(other)
  const own = groupOf(pid)
  const made = join(dirname(place), `carrick-bench-${pid}`)
  mkdirSync(made)
  for (const weight of ['cpu.shares', 'cpu.weight']) copyWhereThere(join(place, weight), join(made, weight))
  writeFileSync(join(made, 'cgroup.procs'), String(pid))
  return {
    [Symbol.dispose]() {
      const left = readFileSync(join(made, 'cgroup.procs'), 'utf8').trim().split('\n')
      for (const each of left.filter((line) => line !== '')) writeFileSync(join(own, 'cgroup.procs'), each)
      rmdirSync(made)
    },
  }
}

/** The folder of the control group that has a process's share of the processor: of its own layout each. */
function groupOf(pid: number): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
  const apart = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/
  const found = lines.flatMap((line) => apart.exec(line)?.[1] ?? [])[0]
  if (found !== undefined) return join('/sys/fs/cgroup/cpu', found)
  return join('/sys/fs/cgroup', lines.flatMap((line) => /^0::(.*)$/.exec(line)?.[1] ?? [])[0] ?? '')
}

function copyWhereThere(from: string, to: string): void {
  try {
    writeFileSync(to, readFileSync(from))
  } catch {
    // the other layout
  }
}
