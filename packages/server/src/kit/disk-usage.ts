import { execFile } from 'node:child_process'

/**
 * Bytes that folders take on their disk, all below counted, by `du` in a process of its own that gives way to all others.
 * What cannot be read is not counted; undefined where there is no such folder, or no `du`.
 */
export async function diskUsage(paths: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  if (paths.length === 0) return new Map()
  const args = ['-n', '19', 'du', '-s', '--block-size=1', '--null', '--one-file-system', '--', ...paths]
  const said = await new Promise<string>((resolve) => {
    const options = { signal, maxBuffer: 64 * 1024 * 1024, env: { PATH: process.env['PATH'], LC_ALL: 'C' } }
    // Its exit code tells that something went while it looked: what it found counts all the same.
    execFile('nice', args, options, (_, stdout) => resolve(stdout))
  })
  signal.throwIfAborted()
  return new Map(
    said.split('\0').flatMap((entry) => {
      const [, bytes, path] = /^(\d+)\t([^]+)$/.exec(entry) ?? []
      return path === undefined ? [] : [[path, Number(bytes)] as const]
    }),
  )
}
