import { expect, test } from 'vitest'
import { gpusOfModel, isOfModel } from './gpu-model.ts'
import { builtInTypes } from './machine-types.ts'

const gib = 1024 ** 3

test.each([
  ['H100', 'NVIDIA H100 80GB HBM3', true],
  ['H100', 'NVIDIA H100 PCIe', true],
  ['h100', 'NVIDIA H100 NVL', true],
  ['H100', 'NVIDIA H200', false],
  ['H200', 'NVIDIA H200', true],
  ['H200', 'NVIDIA GH200 480GB', false],
  ['B200', 'NVIDIA B200', true],
  ['B200', 'NVIDIA GB200', false],
  ['L40', 'NVIDIA L40', true],
  ['L40', 'NVIDIA L40S', false],
  ['L40', 'NVIDIA L4', false],
  ['A100', 'NVIDIA A100-SXM4-40GB', true],
  ['A100', 'NVIDIA A100 80GB PCIe', true],
  ['A100-40GB', 'NVIDIA A100-SXM4-40GB', true],
  ['A100-80GB', 'NVIDIA A100-SXM4-40GB', false],
  ['A100-80GB', 'NVIDIA A100 80GB PCIe', true],
  ['A100', 'NVIDIA A10', false],
  ['RTX PRO 6000', 'NVIDIA RTX PRO 6000 Blackwell Server Edition', true],
  ['RTX PRO 6000', 'NVIDIA RTX 6000 Ada Generation', false],
  ['A6000', 'NVIDIA RTX A6000', true],
  ['T4', 'Tesla T4', true],
  ['RTX 4090', 'NVIDIA GeForce RTX 4090', true],
  ['RTX-4090', 'NVIDIA GeForce RTX 4090 Laptop GPU', false],
  ['RTX 4080', 'NVIDIA GeForce RTX 4080 SUPER', false],
  ['GPU', 'NVIDIA GeForce GTX 1650', true],
  ['', 'NVIDIA H100 PCIe', false],
])('model "%s" and device "%s": %s', (model, name, is) => {
  expect(isOfModel({ name }, model)).toBe(is)
})

test.each([
  ['A100-80GB', 81_920, true],
  ['A100-80GB', 81_251, true],
  ['A100-80GB', 40_536, false],
  ['A100-40GB', 40_536, true],
])('a device that does not name its memory is %s when it has %i MiB: %s', (model, mib, is) => {
  expect(isOfModel({ name: 'NVIDIA A100', memoryBytes: mib * 1024 ** 2 }, model)).toBe(is)
})

test('the GPUs of a model are told in the order of their indices', () => {
  const gpus = [2, 0, 1].map((index) => ({ index, name: index === 1 ? 'Tesla T4' : 'NVIDIA H100 PCIe' }))
  expect(gpusOfModel({ gpus }, 'H100').map(({ index }) => index)).toEqual([0, 2])
})

test.each([
  ['XS', { cpus: 0.5, memoryBytes: 0.5 * gib, gpus: 0 }],
  ['XL', { cpus: 8, memoryBytes: 30 * gib, gpus: 0 }],
  ['GPU-H100', { cpus: 12, memoryBytes: 112 * gib, gpu: 'H100', gpus: 1 }],
  ['GPU-B200', { cpus: 19, memoryBytes: 210 * gib, gpu: 'B200', gpus: 1 }],
  ['GPU-A100-80G', { cpus: 12, memoryBytes: 60 * gib, gpu: 'A100-80GB', gpus: 1 }],
])('machine type %s is known without a word of the operator', (name, what) => {
  expect(builtInTypes.find((type) => type.name === name)).toEqual({ name, ...what })
})
