/**
 * Docker's rootless mode for the tests of that: Debian's own, below an ordinary user of this machine, with a folder of its own that goes
 * with it. What runs there cannot see root's files.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { chown, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isThere } from './run.ts'

/** Made for this: `useradd --create-home carrick-rootless`. */
const userName = 'carrick-rootless'
const program = '/usr/share/docker.io/contrib/dockerd-rootless.sh'
const needed = [program, '/usr/bin/rootlesskit', '/usr/bin/newuidmap', '/usr/bin/slirp4netns']
const checkout = fileURLToPath(new URL('../../package.json', import.meta.url))
const patienceMs = 60_000

/** Why there can be none here, as half a sentence; undefined when there can. */
export function whyNoRootless(): string | undefined {
  const missing = needed.filter((path) => !existsSync(path))
  if (missing.length > 0) return `${missing.join(', ')} not there (Debian: docker.io, rootlesskit, uidmap, slirp4netns)`
  if (process.getuid?.() !== 0) return 'only root can become another user'
  const user = userHere()
  if (user === undefined)
    return `there is no user ${userName}, or none with ids in /etc/subuid: \`useradd ${userName}\``
  if (!may(user, '-w', '/dev/net/tun')) return '/dev/net/tun is for root alone: `chmod 666 /dev/net/tun`'
  return may(user, '-r', checkout) ? undefined : `the user ${userName} cannot read this checkout`
}

interface User {
  readonly id: number
  readonly home: string
}

function userHere(): User | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${userName}:`))
  const [, , id, , , home] = line?.split(':') ?? []
  const hasIds = existsSync('/etc/subuid') && readFileSync('/etc/subuid', 'utf8').includes(`${userName}:`)
  return id === undefined || home === undefined || !hasIds ? undefined : { id: Number(id), home }
}

const becoming = ({ id }: User): readonly string[] => [
  'setpriv',
  `--reuid=${id}`,
  `--regid=${id}`,
  '--clear-groups',
  '--',
]

function may(user: User, how: string, path: string): boolean {
  const [setpriv = '', ...args] = becoming(user)
  try {
    execFileSync(setpriv, [...args, 'test', how, path])
    return true
  } catch {
    return false
  }
}

export interface Rootless extends AsyncDisposable {
  /** As DOCKER_HOST has it. */
  readonly host: string
  /** What a program is begun by that is to be its user. */
  readonly begin: readonly string[]
  /** What that user has set. */
  readonly variables: Readonly<Record<string, string>>
  readonly uid: number
  /** A folder of that user's. */
  readonly folder: string
}

/** Resolves when it answers, with an image of the other engine. Letting go of it ends it. */
export async function openRootless(image: string): Promise<Rootless> {
  const user = userHere()
  if (user === undefined) throw new Error(whyNoRootless() ?? 'there is no user for it')
  const folder = await mkdtemp(join(tmpdir(), 'cl-')) // a socket's path is short
  await chown(folder, user.id, user.id)
  const host = `unix://${join(folder, 'docker.sock')}`
  const variables = { HOME: user.home, XDG_RUNTIME_DIR: folder, DOCKER_HOST: host, TMPDIR: folder }
  await using log = await open(join(folder, 'log'), 'w')
  const places = ['data-root', 'exec-root', 'pidfile'].flatMap((name) => [`--${name}`, join(folder, name)])
  const [setpriv = '', ...args] = [...becoming(user), 'sh', program, '--host', host, ...places]
  const engine = spawn(setpriv, args, {
    cwd: folder,
    stdio: ['ignore', log.fd, log.fd],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...variables },
  })
  const ended = once(engine, 'exit')
  const close = async () => {
    engine.kill()
    await ended
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
  try {
    await answers(host, () => engine.exitCode === null)
    await copied(image, host)
    return { host, begin: becoming(user), variables, uid: user.id, folder, [Symbol.asyncDispose]: close }
  } catch (error) {
    const said = await readFile(join(folder, 'log'), 'utf8').catch(() => '')
    await close()
    throw new Error(`The rootless engine did not begin: ${said.slice(-2_000)}`, { cause: error })
  }
}

async function answers(host: string, lives: () => boolean): Promise<void> {
  for (const until = Date.now() + patienceMs; lives() && Date.now() < until;) {
    if (await isThere('docker', ['--host', host, 'version'])) return
    await new Promise((wake) => setTimeout(wake, 100))
  }
  throw new Error('it did not answer')
}

async function copied(image: string, host: string): Promise<void> {
  const saved = spawn('docker', ['save', image], { stdio: ['ignore', 'pipe', 'inherit'] })
  const loaded = spawn('docker', ['--host', host, 'load', '--quiet'], { stdio: [saved.stdout, 'ignore', 'inherit'] })
  const [[savedCode], [loadedCode]] = await Promise.all([once(saved, 'exit'), once(loaded, 'exit')])
  if (savedCode !== 0 || loadedCode !== 0) throw new Error(`${image} could not be copied`)
}
