import { expect, test } from 'vitest'
import { complaint } from './setup.mjs'

const modern = (program: string) => (program.includes('version_info') ? '3 11\n' : '')

test('a machine with everything has nothing to complain about', () => {
  expect(complaint('20.20.2', modern)).toBeUndefined()
})

test('an old Node is told what to do', () => {
  expect(complaint('18.19.0', modern)).toMatch(/needs Node 20.*this is 18\.19\.0/)
})

test('a missing python3, an old one, and one without venv each get one sentence', () => {
  const missing = () => {
    throw new Error('ENOENT')
  }
  const withoutVenv = (program: string) => (program.includes('venv') ? missing() : '3 11\n')
  expect(complaint('24.0.0', missing)).toContain('apt-get install -y python3 python3-venv')
  expect(complaint('24.0.0', () => '3 9\n')).toMatch(/needs Python 3\.10.*is 3\.9/)
  expect(complaint('24.0.0', withoutVenv)).toContain('apt-get install -y python3-venv')
})
