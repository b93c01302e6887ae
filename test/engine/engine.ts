/**
 * A container engine for the tests that need one: the one that DOCKER_HOST names, else Debian's own, started for this run
 * with a folder of its own in `.cache/`, where its images stay for the next run.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isThere } from './run.ts'

/** What the engine needs to begin, found on this machine. */
const daemon = '/usr/sbin/dockerd'
const folder = fileURLToPath(new URL('../../.cache/engine', import.meta.url))
const patienceMs = 60_000

/** Why there can be no engine here, as half a sentence; undefined when there can. */
export function whyNoEngine(): string | undefined {
  if (process.env['DOCKER_HOST'] !== undefined) return undefined
  if (!existsSync(daemon)) return 'docker.io is not installed, and DOCKER_HOST names no engine'
  return process.getuid?.() === 0 ? undefined : 'only root can start an engine, and DOCKER_HOST names none'
}

export interface Engine extends AsyncDisposable {
  /** As DOCKER_HOST has it. */
  readonly host: string
}

/** Resolves when it answers. Letting go of it ends one that was started here. */
export async function openEngine(): Promise<Engine> {
  const given = process.env['DOCKER_HOST']
  if (given !== undefined) return { host: given, [Symbol.asyncDispose]: async () => {} }
  await mkdir(folder, { recursive: true })
  // A socket's path is short, and what an engine mounts must not outlive it in a folder that is kept.
  const passing = await mkdtemp(join(tmpdir(), 'carrick-engine-'))
  const host = `unix://${join(passing, 'docker.sock')}`
  await using log = await open(join(folder, 'log'), 'w')
  const settings = join(passing, 'daemon.json')
  await writeFile(settings, JSON.stringify({ runtimes: runtimesHere() }))
  const args = [
    '--config-file',
    settings,
    '--host',
    host,
    '--data-root',
    join(folder, 'data'),
    '--exec-root',
    join(passing, 'exec'),
  ]
  const engine = spawn(daemon, [...args, '--pidfile', join(passing, 'pid')], {
    stdio: ['ignore', log.fd, log.fd],
  })
  const ended = once(engine, 'exit')
  const close = async () => {
    engine.kill()
    await ended
    await isThere('umount', [join(passing, 'exec', 'netns', 'default')])
    await rm(passing, { recursive: true, force: true })
  }
  if (await answers(host, () => engine.exitCode === null)) return { host, [Symbol.asyncDispose]: close }
  await close()
  throw new Error(`The engine did not begin to answer: ${join(folder, 'log')} says why.`)
}

/**
 * gVisor, where it is installed, over the sockets of the container's network: on new kernels Debian's version takes that
 * network for the machine's, and refuses to begin with one of its own (`cannot run with network enabled in root network namespace`).
 */
function runtimesHere(): Record<string, object> {
  const path = '/usr/bin/runsc'
  return existsSync(path) ? { runsc: { path, runtimeArgs: ['--platform=ptrace', '--network=host'] } } : {}
}

async function answers(host: string, lives: () => boolean): Promise<boolean> {
  const until = Date.now() + patienceMs
  while (lives() && Date.now() < until) {
    if (await isThere('docker', ['--host', host, 'version'])) return true
    await new Promise((wake) => setTimeout(wake, 100))
  }
  return false
}
