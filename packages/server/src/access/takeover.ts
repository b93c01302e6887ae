import { readdir, readlink, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { takeFileLock, tryFileLock } from '../kit/file-lock.ts'
import { lockFileOf, readServerFile } from './data-folder.ts'

/**
 * Asks the server that runs on a data folder to go, and waits until it has: it finishes what it holds, as by SIGTERM.
 * Resolves at once where none runs. Throws a sentence when it is not known which process to ask, and when that one still
 * runs after `patienceMs`.
 */
export async function takeOver(folder: string, patienceMs: number, onAsked: (pid: number) => void): Promise<void> {
  const file = lockFileOf(resolve(folder))
  if (!(await isHeld(file))) return
  const pid = (await readServerFile(folder))?.pid
  if (pid === undefined || !(await hasOpen(pid, file))) {
    throw new Error(
      `the server on the data folder ${folder} is starting, or not on this machine: it cannot be asked to go`,
    )
  }
  process.kill(pid, 'SIGTERM')
  onAsked(pid)
  const signal = AbortSignal.timeout(patienceMs)
  const lock = await takeFileLock(file, { onWait: () => {}, signal }).catch((cause: unknown) => {
    if (!signal.aborted) throw cause
    const seconds = Math.round(patienceMs / 1_000)
    throw new Error(`the server with process id ${pid} was asked to go and still runs after ${seconds} s`, { cause })
  })
  lock[Symbol.dispose]()
}

/** Nobody's folder yet has no lock either. */
async function isHeld(file: string): Promise<boolean> {
  try {
    const lock = tryFileLock(file)
    lock?.[Symbol.dispose]()
    return lock === undefined
  } catch {
    return false // what is wrong with it is said when the folder is opened
  }
}

/** Whether the process holds this file open. Its id alone proves nothing: another program may have it by now. */
async function hasOpen(pid: number, file: string): Promise<boolean> {
  const descriptors = `/proc/${pid}/fd`
  const open = await readdir(descriptors).catch(() => [])
  const paths = await Promise.all(open.map((name) => readlink(join(descriptors, name)).catch(() => '')))
  return paths.includes(await realpath(file))
}
