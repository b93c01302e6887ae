import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { provideUv } from './uv.ts'
import { buildVariables } from './variables.ts'

test('two that find no uv at the same moment install it once, and both get it', async () => {
  const toolsFolder = await mkdtemp(join(tmpdir(), 'carrick-tools-'))
  onTestFinished(() => rm(toolsFolder, { recursive: true }))
  const variables = buildVariables({ ...process.env, PATH: '/nowhere' }, join(toolsFolder, 'cache'))
  const lines: string[] = []
  const options = {
    toolsFolder,
    variables,
    onLine: (line: string) => lines.push(line),
    signal: AbortSignal.timeout(50_000),
  }
  const [one, other] = await Promise.all([provideUv(options), provideUv(options)])
  expect(one).toBe(join(toolsFolder, 'uv/bin/uv'))
  expect(other).toBe(one)
  expect(lines.filter((line) => line.startsWith('Installing'))).toHaveLength(1)
  expect(lines).toContain('Waiting for another carrick process, which installs uv')
})
