import { describe, expect, test } from 'vitest'
import type { EnvironmentDefinition } from '../domain/revision.ts'
import { checkDefinition, environmentIdOf } from './definition.ts'
import { filled, masking, unfilling, usedSecrets } from './filling.ts'

const secrets = { TOKEN: 'gh p_1', VERSION: '1.17.0', UNUSED: 'never' }
const credentialed = 'app @ https://x:${TOKEN}@example.com/app.whl'

describe('a requirement with ${NAME}', () => {
  test('has the secret filled in', () => {
    expect(filled('six==${VERSION}', secrets)).toBe('six==1.17.0')
    expect(filled('${TOKEN}${TOKEN}', { TOKEN: '$&' })).toBe('$&$&')
  })

  test.each(['${MISSING}', '${toString}', '${__proto__}'])('is refused when the app sees no secret %s', (text) => {
    expect(() => filled(text, secrets)).toThrow('which this app does not see')
  })

  const definition: EnvironmentDefinition = {
    kind: 'virtualenv',
    pythonVersion: '3.11',
    layers: [['six==${VERSION}']],
    compileBytecode: true,
  }
  const check = (VERSION: string) => () => checkDefinition(definition, { VERSION })

  test('keeps its name in the definition', () => {
    expect(check('1.17.0')().layers).toEqual([['six==${VERSION}']])
  })

  test.each([
    '1 --index-url=https://example.com',
    '1\n-r /etc/passwd',
    '${UV_INDEX_PASSWORD}',
    '1 @ file:///etc',
    'ünique',
  ])('is checked as the secret makes it, and the refusal of %j does not show that', (value) => {
    expect(check(value)).toThrow(/The requirement "six==\$\{VERSION\}" is refused/)
    expect(check(value)).not.toThrow(value)
  })

  test('gives an environment of its own for each value, by fingerprint alone', () => {
    const id = (value: string, fingerprint = (text: string) => `print of ${text}`) =>
      environmentIdOf(definition, { secrets: { ...secrets, VERSION: value }, fingerprint })
    expect(id('1.17.0')).toBe(id('1.17.0'))
    expect(id('1.17.0')).not.toBe(id('1.16.0'))
    expect(id('1.17.0', () => 'same')).toBe(id('1.16.0', () => 'same'))
  })

  test('leaves the ids of all others as they are', () => {
    const plain = { ...definition, layers: [['six']] }
    expect(environmentIdOf(plain, { secrets, fingerprint: (value) => value })).toBe(environmentIdOf(plain))
  })
})

test('only the secrets that are named are used', () => {
  expect(usedSecrets([['six==${VERSION}'], [credentialed, '${MISSING}']], secrets)).toEqual({
    TOKEN: 'gh p_1',
    VERSION: '1.17.0',
  })
})

test('secrets are masked as they are and as they stand in an address', () => {
  expect(masking({ TOKEN: 'gh p/1' })('gh p/1 gh%20p/1 gh%20p%2F1 gh')).toBe('**** **** **** gh')
  expect(masking({ EMPTY: '' })('as it was')).toBe('as it was')
})

test('what an installer noted names the secret instead', () => {
  expect(unfilling(secrets)('{"url":"https://x:gh%20p_1@example.com"}')).toBe(
    '{"url":"https://x:${TOKEN}@example.com"}',
  )
})
