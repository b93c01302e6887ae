import { setTimeout as pause } from 'node:timers/promises'
import type { RunnerId } from '../../../domain/ids.ts'
import type { Cgroups } from '../groups/cgroups.ts'
import { Census } from './census.ts'
import { isAlive, procOf, type Proc, type ProcIdentity } from '../proc.ts'
import { sendSignal } from '../signals.ts'

export interface Tree {
  readonly id: RunnerId
  readonly installation: string
  /** The process that was started, when it is known. */
  readonly main: ProcIdentity | undefined
  readonly cgroups: Cgroups | undefined
}

const patienceMs = 10_000

/**
 * Ends every process of a runner, those that left its process group included, and returns when none is left. It looks
 * again until a look finds nothing, for a process may have started another in between. Its control group tells for a few µs
 * whether it is empty; to look at every process of the machine is felt by callers, so that comes when it is. Throws a sentence
 * when some are left after ten seconds.
 */
export async function endTree(tree: Tree, signal: AbortSignal): Promise<void> {
  const late = AbortSignal.timeout(patienceMs)
  try {
    await endAll(tree, AbortSignal.any([signal, late]))
  } catch (error) {
    if (error !== late.reason) throw error
    const stuck = `Processes of runner ${tree.id} are still there ${patienceMs / 1_000} seconds after they were killed`
    throw new Error(`${stuck}: the kernel keeps them, as it does while a disk or a driver does not answer`, {
      cause: error,
    })
  }
}

async function endAll(tree: Tree, until: AbortSignal): Promise<void> {
  const seen = new Map<number, Proc>()
  for (;;) {
    await emptied(tree, until)
    const left = await procsOf(tree)
    for (const proc of left) seen.set(proc.pid, proc)
    // One that ends has no marks any more, but is not gone.
    const ending = [...seen.values()].some(({ pid, startTime }) => procOf(pid)?.startTime === startTime)
    if (left.length === 0 && !ending && (await tree.cgroups?.isPopulated(tree.id)) !== true) return
    for (const { pid } of left) sendSignal(pid, 'SIGKILL')
    until.throwIfAborted()
    await pause(5)
  }
}

async function emptied({ id, cgroups }: Tree, until: AbortSignal): Promise<void> {
  await cgroups?.kill(id)
  while ((await cgroups?.isPopulated(id)) === true) {
    until.throwIfAborted()
    await pause(5)
    await cgroups?.kill(id) // of version 1: who was being started at the first look
  }
}

const census = new Census()

/** The live processes of a runner, also those that left its session. */
export async function procsOf({ id, installation, main }: Tree): Promise<Proc[]> {
  const procs = await census.take()
  const leader = main && isAlive(main) ? main.pid : undefined
  const marked = procs.filter((proc) => {
    // One that has only just been forked is in its parent's group and session, and has no marks.
    if (leader !== undefined && [proc.pid, proc.group, proc.session].includes(leader)) return true
    return proc.runner === id && proc.installation === installation
  })
  return withDescendants(marked, procs)
}

function withDescendants(found: readonly Proc[], all: readonly Proc[]): Proc[] {
  const pids = new Set(found.map(({ pid }) => pid))
  for (let before = -1; before !== pids.size;) {
    before = pids.size
    for (const { pid, parent } of all) if (pids.has(parent)) pids.add(pid)
  }
  return all.filter(({ pid }) => pids.has(pid))
}
