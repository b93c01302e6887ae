import { expect, test } from 'vitest'
import { packagesIn } from './system-packages.ts'

test('of dpkg, what is installed counts, and what was removed does not', () => {
  const status = `Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
Description: a library
 Version: in words

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: amd64
`
  const fields = { kind: 'deb', name: 'Package', version: 'Version', architecture: 'Architecture' } as const
  expect(packagesIn(status, fields)).toEqual([{ kind: 'deb', name: 'libc6', version: '2.36-9', architecture: 'amd64' }])
})

test('apk has one letter for each', () => {
  const installed = 'C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\n\nC:Q1\nP:busybox\nV:1.36\nA:x86_64\n\n'
  const fields = { kind: 'apk', name: 'P', version: 'V', architecture: 'A' } as const
  expect(packagesIn(installed, fields).map(({ name }) => name)).toEqual(['musl', 'busybox'])
})
