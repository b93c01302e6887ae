import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** With an interpreter that has `fal`, the tests against real pickles run too. */
const python = process.env['CARRICK_TEST_PYTHON'] ?? 'python3'
const folder = fileURLToPath(new URL('../../../../../../runners/python', import.meta.url))

test('the Python bootstrap keeps its promises', async () => {
  const run = await promisify(execFile)(python, ['-m', 'unittest', 'discover', '-s', 'tests'], { cwd: folder })
  expect(run.stderr).toMatch(/\nOK/)
})
