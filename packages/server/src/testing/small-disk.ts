import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk of its own, to be filled. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string
}

export async function smallDisk(mebibytes: number): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), 'carrick-small-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'carrick-test', path])
  const remove = async () => {
    execFileSync('umount', ['--lazy', path])
    await rm(path, { recursive: true })
  }
  return { path, [Symbol.asyncDispose]: remove }
}

/** Whether this user may mount; in most containers nobody may. */
export function mayMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'carrick-test', tmpdir()], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
