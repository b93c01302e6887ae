import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const seconds = Number(process.env['BENCH_SECONDS'] ?? 4)

/** Calls by as many callers, each over a connection that it keeps, for a few seconds: answers per second. Throws on any that fails. */
export async function perSecond(url: string, callers: number, key?: string): Promise<number> {
  const header = key === undefined ? [] : ['-H', `Authorization: Key ${key}`]
  const args = ['-t', '1', '-c', String(callers), '-d', `${seconds}s`, '--timeout', '30s', ...header, url]
  const { stdout } = await promisify(execFile)('wrk', args)
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk ${url}: ${stdout}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
}

export const hasWrk = () =>
  promisify(execFile)('which', ['wrk']).then(
    () => true,
    () => false,
  )
