import { readFile } from 'node:fs/promises'
import { bootId, procOf, type ProcIdentity } from '../../process/proc.ts'

/** The process of that number, if it is the container's: an engine may count in another namespace than we do. */
export async function identityOf(pid: number, container: string): Promise<ProcIdentity | undefined> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  const startTime = groups.includes(container) ? procOf(pid)?.startTime : undefined
  return startTime === undefined ? undefined : { pid, startTime, bootId: bootId() }
}
