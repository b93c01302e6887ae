import { readdir, readFile } from 'node:fs/promises'

/** A process of a runner. Its runner's id stands in its environment. */
export interface RunnerProcess {
  readonly pid: number
  readonly runner: string
}

/** The processes of an installation's runners that are not dead. */
export async function runnerProcesses(folder: string): Promise<readonly RunnerProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(pids.map((pid) => runnerIn(pid, folder)))
  return found.filter((each) => each !== undefined)
}

async function runnerIn(pid: string, folder: string): Promise<RunnerProcess | undefined> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
  if (!environment.includes(folder)) return undefined
  const runner = /(?:^|\0)CARRICK_RUNNER_ID=([^\0]*)/.exec(environment)?.[1]
  return runner === undefined ? undefined : { pid: Number(pid), runner }
}
