import { describe, expect, test } from 'vitest'
import { Masks } from './masks.ts'

function covering(...values: readonly string[]): (text: string) => string {
  const masks = new Masks()
  masks.cover('runner', values)
  return (text) => masks.mask('runner', text)
}

describe('what a runner writes', () => {
  test('shows no value longer than 8 characters, wherever it stands and however often', () => {
    const mask = covering('hf_123456', 'other value')
    expect(mask('hf_123456hf_123456, {"token": "hf_123456"} and other value')).toBe(
      '****************, {"token": "********"} and ********',
    )
  })

  test('shows short values: they stand in too many innocent lines', () => {
    expect(covering('12345678', 'debug')('debug 12345678')).toBe('debug 12345678')
  })

  test('shows no line of a value of several', () => {
    const mask = covering('-----BEGIN KEY-----\nabcdefghijklmnop\r\nshort')
    expect(['-----BEGIN KEY-----', '  abcdefghijklmnop', 'short'].map(mask)).toEqual([
      '********',
      '  ********',
      'short',
    ])
  })

  test('shows no rest of a value in which another stands', () => {
    expect(covering('abcdefghi', 'abcdefghijkl')('abcdefghijkl')).toBe('********')
  })

  test('is left alone when it is another runner, or one that is gone', () => {
    const masks = new Masks()
    masks.cover('runner', ['hf_123456'])
    expect(masks.mask('other', 'hf_123456')).toBe('hf_123456')
    masks.uncover('runner')
    expect(masks.mask('runner', 'hf_123456')).toBe('hf_123456')
  })

  test('takes values with signs that mean something in a replacement or a pattern', () => {
    expect(covering('$&.*(value)')('the $&.*(value)')).toBe('the ********')
  })
})
