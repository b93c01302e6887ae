import { expect, test } from 'vitest'
import { gpuOf } from './machine.ts'

test.each([
  ['XS', undefined],
  ['XL', undefined],
  ['', undefined],
  ['GPU', 'GPU'],
  ['GPU-H100', 'H100'],
  ['GPU-A100-80GB', 'A100-80GB'],
  ['GPU-RTXPRO6000', 'RTX PRO 6000'],
])('machine type "%s" has GPU %s', (type, gpu) => {
  expect(gpuOf(type)).toBe(gpu)
})
