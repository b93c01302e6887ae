import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { root, type Ended } from '../carrick.ts'

/**
 * The server's side of the cable, and the other machine's: a /30 of a range that is nobody's, so nothing else is routed there, and
 * of each process its own, so that two runs of the tests at once do not meet.
 */
const network = (process.pid % 2 ** 14) * 4
const inNetwork = (host: number) => `198.18.${network >> 8}.${(network & 255) + host}`
export const serverAddress = inNetwork(1)
const clientAddress = inNetwork(2)
const space = `carrick-${process.pid}`
const cable = `ck${process.pid % 100_000}`

/** Another machine: a network namespace with a cable to this one, and with a hosts file of its own. */
export interface Machine extends Disposable {
  /** Runs a program there. Its environment is given whole. */
  run(program: string, args: readonly string[], env: NodeJS.ProcessEnv, stdin?: string): Promise<Ended>
}

/** Makes one on which these names lead to the server's address; or says why this machine cannot. */
export function createMachine(names: readonly string[]): Machine | string {
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const remove = () => {
    for (const args of [
      ['link', 'del', `${cable}a`],
      ['netns', 'del', space],
    ]) {
      try {
        ip(...args)
      } catch {
        continue // it is not there
      }
    }
    rmSync(`/etc/netns/${space}`, { recursive: true, force: true })
  }
  try {
    ip('netns', 'add', space)
    ip('link', 'add', `${cable}a`, 'type', 'veth', 'peer', 'name', `${cable}b`, 'netns', space)
    ip('addr', 'add', `${serverAddress}/30`, 'dev', `${cable}a`)
    ip('link', 'set', `${cable}a`, 'up')
    ip('-n', space, 'addr', 'add', `${clientAddress}/30`, 'dev', `${cable}b`)
    ip('-n', space, 'link', 'set', `${cable}b`, 'up')
    ip('-n', space, 'link', 'set', 'lo', 'up')
    // `ip netns exec` binds what is here over /etc.
    mkdirSync(`/etc/netns/${space}`, { recursive: true })
    writeFileSync(
      `/etc/netns/${space}/hosts`,
      `127.0.0.1 localhost\n${names.map((name) => `${serverAddress} ${name}\n`).join('')}`,
    )
  } catch (error) {
    remove()
    return `no network namespaces on this machine: ${String(error).split('\n').slice(0, 2).join(' ')}`
  }
  return {
    run: (program, args, env, stdin = '') =>
      new Promise((resolve) => {
        const options = { cwd: root, env, timeout: 240_000, maxBuffer: 64 * 1024 * 1024 }
        const child = execFile('ip', ['netns', 'exec', space, program, ...args], options, (_, stdout, stderr) =>
          resolve({ code: child.exitCode ?? 1, stdout, stderr }),
        )
        child.stdin?.end(stdin)
      }),
    [Symbol.dispose]: remove,
  }
}
