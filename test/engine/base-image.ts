/**
 * The image that Dockerfiles begin with, `python:3.11-slim` and its siblings: no machine of ours reaches a public
 * registry, so it is made of this machine's Debian, once, and trusts what this machine trusts.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { isThere, run } from './run.ts'

const packages = [
  'python3 python3-venv python3-pip ca-certificates curl git',
  'libssl3 libffi8 libsqlite3-0 libreadline8 libbz2-1.0 liblzma5 zlib1g libncursesw6',
].flatMap((line) => line.split(' '))

/** Where a machine keeps whom it trusts. */
const trusted = '/etc/ssl/certs/ca-certificates.crt'

/** Makes the image unless the engine has it. Answers its name, which tells the Python that is in it. */
export async function provideBaseImage(host: string): Promise<string> {
  const minor = await run('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])
  const name = `python:${minor}-slim`
  if (await isThere('docker', ['--host', host, 'image', 'inspect', name])) return name
  const suite = /^VERSION_CODENAME=(.+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1]
  if (suite === undefined) throw new Error('The base image for tests is made of Debian, and this machine is none.')
  const include = `--include=${packages.join(',')}`
  const trust = `--customize-hook=copy-in ${trusted} /etc/ssl/certs`
  const tidy = '--customize-hook=ln -sf python3 "$1/usr/bin/python"; rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED'
  const made = spawn('mmdebstrap', ['--quiet', '--variant=minbase', include, trust, tidy, suite, '-'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const change = `ENV SSL_CERT_FILE=${trusted} PIP_CERT=${trusted}`
  const taken = spawn('docker', ['--host', host, 'import', '--change', change, '-', name], {
    stdio: [made.stdout, 'ignore', 'inherit'],
  })
  const [[makerCode], [takerCode]] = await Promise.all([once(made, 'exit'), once(taken, 'exit')])
  if (makerCode !== 0 || takerCode !== 0)
    throw new Error(`The image ${name} could not be made of Debian ${suite} by mmdebstrap: why stands above.`)
  return name
}
