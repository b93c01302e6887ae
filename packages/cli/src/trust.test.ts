import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureCertificates, type Certificates } from '../../server/src/front/certificates.ts'
import { authorityIn, sameFingerprint } from './trust.ts'

let folder = ''
let made: Certificates
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-trust-'))
  made = await ensureCertificates({ folder, names: [], now: Date.now() })
})
afterAll(() => rm(folder, { recursive: true }))

test.each(['AB:CD:EF', 'abcdef', 'SHA256:AB:CD:EF', 'sha-256 ab cd ef', ' SHA256=ABCDEF\n'])(
  '%j is AB:CD:EF',
  (text) => {
    expect(sameFingerprint(text, 'AB:CD:EF')).toBe(true)
  },
)

test.each(['AB:CD', '', 'AB:CD:EE'])('%j is not', (text) => expect(sameFingerprint(text, 'AB:CD:EF')).toBe(false))

test('a CA is taken from what a server hands out, and nothing else is', () => {
  expect(authorityIn(made.caPem, 'x').fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
  expect(() => authorityIn(made.certPem, 'https://gpubox')).toThrow('https://gpubox holds no CA: it is a certificate')
  expect(() => authorityIn('<html>', 'https://gpubox')).toThrow('https://gpubox holds no CA')
})
