import { provideBaseImage } from './base-image.ts'
import { openPodman } from './podman.ts'
import { isThere, run } from './run.ts'

/** Before the project `podman`: Podman with an image to build on, named to all tests by DOCKER_HOST as Docker is to others. */
export async function setup(): Promise<() => Promise<void>> {
  const docker = process.env['DOCKER_HOST']
  await using opened = new AsyncDisposableStack()
  const podman = opened.use(await openPodman())
  const base = await provideBase(podman.host)
  // Its bridge is there while a container is on it: packages of tests are served at its address.
  const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024']
  const holder = await run('docker', [
    '--host',
    podman.host,
    'run',
    '--detach',
    '--rm',
    ...limits,
    base,
    'sleep',
    '100000',
  ])
  opened.defer(async () => void (await isThere('docker', ['--host', podman.host, 'rm', '--force', holder])))
  process.env['DOCKER_HOST'] = podman.host
  const all = opened.move()
  return async () => {
    await all.disposeAsync()
    if (docker === undefined) delete process.env['DOCKER_HOST']
    else process.env['DOCKER_HOST'] = docker
  }
}

/** Where the Hub's images have their names in Podman. What it loads or imports itself is below `localhost`. */
async function provideBase(host: string): Promise<string> {
  const made = await provideBaseImage(host)
  const name = `docker.io/library/${made}`
  await run('docker', ['--host', host, 'tag', made, name])
  return name
}
