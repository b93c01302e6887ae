import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, root } from '../carrick.ts'

const name = `carrick-conda-base-${process.pid}`
const parts = join(root, 'test/engine/conda')

/**
 * A conda environment in an image, by the unmodified CLI: packages of a channel that is made here, solved and installed by the conda project's
 * rattler under micromamba's words. micromamba itself is in no package registry, so that it takes these words is shown by nobody here.
 */
describe('an app with a conda environment, in a container (micromamba cannot be had: rattler stands in for it)', () => {
  let folder: string
  let channel: Server
  let carrick: Carrick
  const docker = async (...args: string[]) => (await promisify(execFile)('docker', args, { maxBuffer: 2 ** 26 })).stdout

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carrick-conda-'))
    await mkdir(join(folder, 'base'))
    await mkdir(join(folder, 'bin'))
    await promisify(execFile)('/usr/bin/python3', [join(parts, 'channel.py'), join(folder, 'channel')])
    await copyFile(join(parts, 'micromamba.py'), join(folder, 'bin', 'micromamba'))
    await chmod(join(folder, 'bin', 'micromamba'), 0o755)
    await writeFile(
      join(folder, 'base/Dockerfile'),
      'FROM python:3.11-slim\nRUN pip install --no-cache-dir py-rattler==0.28.0\n',
    )
    await docker('build', '--tag', `${name}:3.11`, join(folder, 'base'))
    channel = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://channel').pathname.replaceAll('..', '')
      readFile(join(folder, 'channel', path)).then(
        (content) => response.end(content),
        () => response.writeHead(404).end(),
      )
    }).listen(0, await bridgeAddress())
    await once(channel, 'listening')
    const settings = { CARRICK_BACKEND: 'docker', CARRICK_BASE_IMAGE: `${name}:{version}` }
    carrick = await Carrick.start({ ...settings, PATH: `${join(folder, 'bin')}:${process.env['PATH']}` })
  })
  afterAll(async () => {
    await carrick?.[Symbol.asyncDispose]()
    channel?.close()
    await docker('rmi', `${name}:3.11`).catch(() => {})
    await rm(folder, { recursive: true, force: true })
  })

  /** Where containers of the engine's default network reach this machine, as builds do. */
  async function bridgeAddress(): Promise<string> {
    return (await docker('network', 'inspect', 'bridge', '--format', '{{(index .IPAM.Config 0).Gateway}}')).trim()
  }

  const deploy = async (packages: string) => {
    const { address, port } = channel.address() as AddressInfo
    const variables = { CHANNEL: `http://${address}:${port}`, PACKAGES: packages }
    const ended = await carrick.falWith(
      variables,
      'deploy',
      'test/e2e/apps/conda_greeting.py::greet',
      '--app-name',
      'greet',
    )
    return { code: ended.code, said: ended.stdout + ended.stderr }
  }

  test("runs in the channel's Python, with its packages where they were put and requirements on top", async () => {
    const { code, said } = await deploy('greeting>=1')
    expect(code, said).toBe(0)
    expect(said).toContain('Installing conda packages')
    const headers = { 'content-type': 'application/json' }
    const answer = await carrick.ask('/tester/greet', { method: 'POST', headers, body: '{}' })
    const prefix = '/opt/carrick/venv'
    expect(await answer.json()).toEqual({
      greeting: `installed at ${prefix}\n`,
      known: expect.arrayContaining([expect.stringMatching(/^greeting-1\.2/), expect.stringMatching(/^python-3\./)]),
      prefix,
      six: '1.17.0',
    })
  })

  test('is refused in the words of the solver for what the channel does not have', async () => {
    const { code, said } = await deploy('greeting>=7')
    expect([code, said]).toEqual([1, expect.stringMatching(/greeting.*>=7/)])
  })
})
