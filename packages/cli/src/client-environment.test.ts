import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const module = new URL('./client-environment.ts', import.meta.url).href
const code = `const { clientEnvironment } = await import('${module}')
  console.log(await clientEnvironment((line) => console.error(line)))`

test('two terminals that need it for the first time at once build it once, and both can use it', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'carrick-clients-'))
  onTestFinished(() => rm(cache, { recursive: true }))
  const terminal = async () => {
    const args = ['--conditions=carrick-source', '--input-type=module', '-e', code]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, CARRICK_CACHE: cache },
    })
    const fal = await promisify(execFile)(join(stdout.trim(), 'bin/fal'), ['--version'])
    return { folder: stdout.trim(), said: stderr, version: fal.stdout }
  }
  const [one, other] = await Promise.all([terminal(), terminal()])
  expect(other.folder).toBe(one.folder)
  expect([one.version, other.version].join()).toContain('1.83.0')
  const said = one.said + other.said
  expect(said.match(/Building an environment/g)).toHaveLength(1)
  expect(said.match(/Waiting for another carrick command/g)).toHaveLength(1)
}, 120_000)
