import { describe, expect, test } from 'vitest'
import { exposure, type Exposed } from './exposure.ts'

const fingerprint = 'AB:CD'
const said = (seen: Partial<Exposed>) =>
  exposure({ host: '0.0.0.0', port: 8700, names: [], addresses: ['10.0.0.5'], fingerprint, ...seen }).join('\n')

test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])("a server on %s is nobody else's business", (host) => {
  expect(said({ host })).toBe('')
})

describe('a server that others can reach', () => {
  test('says by which addresses, and that it has no name', () => {
    expect(said({})).toMatch(
      /this machine \(10\.0\.0\.5\) on port 8700[^]*for this machine alone: start it with --name/,
    )
    expect(said({ host: '::' })).toContain('this machine (10.0.0.5)')
    expect(said({})).not.toContain('login')
  })

  test('says which names its certificate is for, and which addresses it is not for', () => {
    const text = said({ names: ['gpubox', 'fal.example.com'] })
    expect(text).toContain('for gpubox, fal.example.com, and not for 10.0.0.5')
    expect(text).toContain('npx carrick login https://gpubox:8700 --fingerprint AB:CD')
  })

  test('on one address, whose certificate is for it', () => {
    const text = said({ host: '10.0.0.5', names: ['10.0.0.5'] })
    expect(text).toContain('can reach 10.0.0.5 on port 8700')
    expect(text).not.toContain('and not for')
  })

  test('on an address of version 6', () => {
    expect(said({ host: '2001:db8::1', names: ['2001:db8::1'] })).toContain('login https://[2001:db8::1]:8700')
  })
})
