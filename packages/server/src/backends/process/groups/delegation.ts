import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { procOf } from '../proc.ts'

const wanted: readonly string[] = ['memory', 'cpu', 'pids']
const leaf = 'carrick-server'

/** Our own group (v2), also when an earlier call moved us into a leaf of it. */
export const aboveLeaf = (own: string): string => (basename(own) === leaf ? join(own, '..') : own)

/**
 * Makes the controllers that a group (v2) has count for groups below it, and answers which do. The kernel refuses this
 * while processes are in the group itself. Where these are only ours, as in a systemd service with `Delegate=yes`, they
 * move into a leaf of it; others' processes are left where they are, and nothing is had.
 */
export async function delegate(own: string): Promise<readonly string[]> {
  const available = (await wordsIn(join(own, 'cgroup.controllers'))).filter((name) => wanted.includes(name))
  if (available.length === 0) return []
  if (await enable(own, available)) return available
  const pids = (await wordsIn(join(own, 'cgroup.procs'))).map(Number)
  if (pids.length > 0 && isServersOwn(own, pids)) {
    await moveInto(join(own, leaf), pids)
    if (await enable(own, available)) return available
  }
  const enabled = await wordsIn(join(own, 'cgroup.subtree_control'))
  return available.filter((name) => enabled.includes(name))
}

/** Each with a sign in front, as the kernel wants them. */
export async function enable(folder: string, controllers: readonly string[]): Promise<boolean> {
  const file = join(folder, 'cgroup.subtree_control')
  const text = controllers.map((name) => `+${name}`).join(' ')
  return writeFile(file, text).then(
    () => true,
    () => false,
  )
}

/** A login's group holds what its user works with, whoever started us. */
function isServersOwn(own: string, pids: readonly number[]): boolean {
  if (/^(?:session-.*\.scope|user@.*\.service|init\.scope)$/.test(basename(own))) return false
  const above = new Set(parentsOf(process.pid))
  return pids.every((pid) => above.has(pid) || parentsOf(pid).includes(process.pid) || procOf(pid) === undefined)
}

/** The process and those above it. */
function parentsOf(pid: number): readonly number[] {
  const found: number[] = []
  for (let at = procOf(pid); at !== undefined && !found.includes(at.pid); at = procOf(at.parent)) found.push(at.pid)
  return found
}

async function moveInto(folder: string, pids: readonly number[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const pid of pids) await writeFile(join(folder, 'cgroup.procs'), String(pid)).catch(() => {}) // it may be gone
}

async function wordsIn(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.split(/\s+/).filter((word) => word !== '')
}
