/**
 * Podman for the tests that ask it what they ask Docker: Debian's own, with a folder of its own in `.cache/`, where its images stay for the
 * next run. It is a process of this run, and so is its network.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isThere } from './run.ts'

const usual = fileURLToPath(new URL('../../.cache/podman', import.meta.url))
const patienceMs = 60_000

/** What it needs to begin, as found on a Debian machine. */
const needed = ['/usr/bin/podman', '/usr/sbin/runc', '/usr/bin/catatonit', '/usr/lib/cni/bridge']

/** Why there can be none here, as half a sentence; undefined when there can. */
export function whyNoPodman(): string | undefined {
  const missing = needed.filter((path) => !existsSync(path))
  if (missing.length > 0)
    return `${missing.join(', ')} not there (Debian: podman, runc, catatonit, containernetworking-plugins)`
  return process.getuid?.() === 0 ? undefined : 'only root can start it as it is started here'
}

export interface Podman extends AsyncDisposable {
  /** As DOCKER_HOST has it. */
  readonly host: string
}

/** Resolves when it answers. Letting go of it ends it. */
export async function openPodman(): Promise<Podman> {
  await mkdir(usual, { recursive: true })
  const folder = await realpath(usual) // Podman takes the same folder by another path for another
  const passing = await mkdtemp(join(tmpdir(), 'carrick-podman-')) // a socket's path is short
  const host = `unix://${join(passing, 'podman.sock')}`
  await using log = await open(join(folder, 'log'), 'w')
  const insecure = join(passing, 'registries.conf')
  await writeFile(
    insecure,
    'unqualified-search-registries = ["docker.io"]\n[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n',
  )
  // crun, which it prefers, refuses machines with both versions of control groups.
  const places = ['--root', join(folder, 'images'), '--runroot', join(folder, 'run')]
  const ways = ['--runtime', '/usr/sbin/runc', '--cgroup-manager=cgroupfs', '--events-backend=file']
  const service = spawn('podman', [...places, ...ways, 'system', 'service', '--time=0', host], {
    stdio: ['ignore', log.fd, log.fd],
    env: { ...process.env, CONTAINERS_REGISTRIES_CONF: insecure },
  })
  const close = () => end(service, passing, join(folder, 'run'))
  if (await answers(host, service)) return { host, [Symbol.asyncDispose]: close }
  await close()
  throw new Error(`Podman did not begin to answer: ${join(folder, 'log')} says why.`)
}

async function end(service: ChildProcess, passing: string, run: string): Promise<void> {
  const ended = once(service, 'exit')
  if (service.exitCode === null) {
    service.kill()
    await ended
  }
  await isThere('umount', ['--recursive', '--lazy', run])
  await rm(passing, { recursive: true, force: true })
}

async function answers(host: string, service: ChildProcess): Promise<boolean> {
  for (const until = Date.now() + patienceMs; service.exitCode === null && Date.now() < until;) {
    if (await isThere('docker', ['--host', host, 'version'])) return true
    await new Promise((wake) => setTimeout(wake, 100))
  }
  return false
}
