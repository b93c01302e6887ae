import { expect, test } from 'vitest'
import { run } from './run.ts'

test('the engine runs what is in the base image', async () => {
  const names = await run('docker', ['images', '--format', '{{.Repository}}:{{.Tag}}'])
  const base = names.split('\n').find((name) => /^python:3\.\d+-slim$/.test(name)) ?? ''
  expect(await run('docker', ['run', '--rm', base, 'python', '-c', 'import ssl; print(2 + 3)'])).toBe('5')
})
