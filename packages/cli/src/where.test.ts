import { describe, expect, test } from 'vitest'
import { chosenServer, originOf, type Where } from './where.ts'

const box = 'https://gpubox:8700'
const known = new Set([box])
const chosen = (where: Where, variables: Record<string, string> = {}, standard?: string) =>
  chosenServer(where, { variables, known, standard })

describe('the server that a command is about', () => {
  const there = { CARRICK_URL: box, CARRICK_DATA: '/data' }
  test.each([
    ['--url, before everything', { url: 'gpubox:8700' }, { CARRICK_DATA: '/data' }, { kind: 'remote', url: box }],
    ['--data, before variables', { data: '/other' }, there, { kind: 'local', folder: '/other' }],
    ['CARRICK_URL, before CARRICK_DATA', {}, there, { kind: 'remote', url: box }],
    ['CARRICK_DATA', {}, { CARRICK_DATA: '/data' }, { kind: 'local', folder: '/data' }],
    ['the data folder at home', {}, {}, { kind: 'local', folder: undefined }],
    [
      'empty variables, which say nothing',
      {},
      { CARRICK_URL: '', CARRICK_DATA: '' },
      { kind: 'local', folder: undefined },
    ],
    [
      'the local one, for a local address without a login',
      {},
      { CARRICK_URL: 'https://localhost:1' },
      { kind: 'local', folder: undefined },
    ],
    [
      'one of this machine under another name',
      {},
      { CARRICK_URL: 'https://a.example' },
      { kind: 'local', folder: undefined, url: 'https://a.example' },
    ],
    [
      'one of this machine that --url names',
      { url: 'https://localhost:1' },
      there,
      { kind: 'local', folder: '/data', url: 'https://localhost:1' },
    ],
  ])('%s', (_what, where, variables, server) => expect(chosen(where, variables)).toEqual(server))

  test('the default, when nothing else is said', () => {
    expect(chosen({}, {}, box)).toEqual({ kind: 'remote', url: box })
    expect(chosen({}, { CARRICK_DATA: '/data' }, box)).toEqual({ kind: 'local', folder: '/data' })
  })
})

test.each([
  ['gpubox', 'https://gpubox'],
  ['gpubox:8700', box],
  ['https://GPUBOX:8700/', box],
  ['https://10.0.0.1:443', 'https://10.0.0.1'],
  ['[::1]:8700', 'https://[::1]:8700'],
])('%s is %s', (text, origin) => expect(originOf(text)).toBe(origin))

test.each([
  'http://gpubox:8700',
  'https://gpubox/path',
  'https://a:b@gpubox',
  'https://',
  'a b',
  'https://x?y',
  'ftp://x',
])('%j is refused in a sentence', (text) =>
  expect(() => originOf(text)).toThrow(/^"[^\n]*(is not|does not begin|is more than)/),
)
