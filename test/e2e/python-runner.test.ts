import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { clients, root } from './carrick.ts'

/** The bootstrap's own tests, this time beside the real SDK: the ones that need it are skipped elsewhere. */
test('the Python bootstrap keeps its promises for pickles of the real SDK', async () => {
  const python = join(await clients(), 'bin', 'python')
  const args = ['-m', 'unittest', 'discover', '-s', join(root, 'runners/python/tests')]
  const { stderr } = await promisify(execFile)(python, args, { env: { ...process.env, CARRICK_TEST_PYTHON: python } })
  expect(stderr).toMatch(/\nOK\n?$/)
  expect(stderr).not.toContain('skipped=')
})
