import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'

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

let thisBoot: string | undefined

/** Names this run of the machine, which outlives us. */
export function bootId(): string {
  return (thisBoot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
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

/** So many are read before others have a turn: a look costs some µs for each, and ten times as much where it waits for threads. */
const atOnce = 16

/** Every process of the machine that lives. */
export async function allProcs(): Promise<Proc[]> {
  const found: Proc[] = []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  for (const [index, pid] of pids.entries()) {
    if (index % atOnce === atOnce - 1) await turn()
    const proc = procOf(pid)
    if (proc !== undefined) found.push(proc)
  }
  return found
}

/** Each with the environment that it was started with; empty when it is gone or somebody else's. */
export async function allWithEnvironment(): Promise<readonly (Proc & { readonly environment: Environment })[]> {
  const found: (Proc & { readonly environment: Environment })[] = []
  for (const [index, proc] of (await allProcs()).entries()) {
    if (index % atOnce === atOnce - 1) await turn()
    found.push({ ...proc, environment: environmentOf(proc.pid) })
  }
  return found
}

export type Environment = ReadonlyMap<string, string>

function environmentOf(pid: number): Environment {
  const entries = textOf(`/proc/${pid}/environ`).split('\0')
  return new Map(entries.map((entry) => [entry.split('=', 1)[0] ?? '', entry.slice(entry.indexOf('=') + 1)]))
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // it ended meanwhile, or is another user's
  }
}

/** See proc(5). The second field is the program's name in brackets and may hold anything, also brackets and spaces. */
function parseStat(pid: number, stat: string): Proc | undefined {
  const [state, parent, group, session, ...more] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTime = more[15]
  if (!state || !startTime || state === 'Z' || state === 'X') return undefined
  return { pid, parent: Number(parent), group: Number(group), session: Number(session), startTime }
}
