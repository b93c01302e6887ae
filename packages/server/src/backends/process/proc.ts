import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'

/** A process as the kernel shows it. `startTime` is in ticks since boot: with boot id and pid it names one process. */
export interface Proc {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  readonly startTime: string
}

/** What is left of a process id when ids are used again: nothing but this tells two processes apart. */
export interface ProcIdentity {
  readonly pid: number
  readonly startTime: string
  readonly bootId: string
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** The process, or nothing when it is gone; a zombie is gone. */
export function procOf(pid: number): Proc | undefined {
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return undefined
  }
}

export function isAlive(identity: ProcIdentity): boolean {
  return identity.bootId === bootId() && procOf(identity.pid)?.startTime === identity.startTime
}

export async function allProcs(): Promise<Proc[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    pids.map(async (pid) => parseStat(pid, await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))),
  )
  return found.filter((proc) => proc !== undefined)
}

/** The environment a process was started with; empty when it is gone or somebody else's. */
export async function environmentOf(pid: number): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
  return new Map(text.split('\0').map((entry) => [entry.split('=', 1)[0] ?? '', entry.slice(entry.indexOf('=') + 1)]))
}

/** See proc(5). The second field is the program's name in brackets and may hold anything, also brackets and spaces. */
function parseStat(pid: number, stat: string): Proc | undefined {
  const [state, parent, group, session, ...more] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTime = more[15]
  if (!state || !startTime || state === 'Z' || state === 'X') return undefined
  return { pid, parent: Number(parent), group: Number(group), session: Number(session), startTime }
}
