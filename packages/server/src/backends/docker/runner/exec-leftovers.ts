import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { Container } from 'dockerode'
import { allWithEnvironment, type ProcIdentity } from '../../process/proc.ts'
import { sendSignal } from '../../process/signals.ts'

/** Every process of a session has it in its environment, unless it shed that. */
export const markName = 'CARRICK_EXEC'

const patienceMs = 5_000

/**
 * Ends what a command started beside a runner, which engines do not: from outside where this server may look into the
 * container's processes, else by a shell inside.
 */
export async function endLeftovers(mark: string, container: Container, init: ProcIdentity | undefined): Promise<void> {
  if (init === undefined || !(await mayLookInto(init.pid))) return endInside(mark, container)
  for (const until = performance.now() + patienceMs; performance.now() < until; await pause(5)) {
    const left = (await allWithEnvironment()).filter(({ environment }) => environment.get(markName) === mark)
    if (left.length === 0) return
    for (const { pid } of left) sendSignal(pid, 'SIGKILL')
  }
}

async function mayLookInto(pid: number): Promise<boolean> {
  return readFile(`/proc/${pid}/environ`).then(
    (environment) => environment.length > 0,
    () => false,
  )
}

const script = `
  for each in /proc/[0-9]*; do
    if grep -q "${markName}=$0" "$each/environ" 2>/dev/null; then kill -9 "\${each#/proc/}"; fi
  done`

/** Where the image has no shell, what is left ends with the runner. */
async function endInside(mark: string, container: Container): Promise<void> {
  try {
    const exec = await container.exec({ Cmd: ['/bin/sh', '-c', script, mark] })
    await exec.start({ Detach: true })
  } catch {
    // the runner is gone, and all that was in it
  }
}
