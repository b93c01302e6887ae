import { expect, test } from 'vitest'
import { runtimeAsked } from '../../domain/annotations.ts'
import { requireRuntime } from './asked-runtime.ts'

const asking = { annotations: { 'carrick.runtime': 'runsc' } }

test('an annotation names the runtime of an app', () => {
  expect(runtimeAsked(asking)).toBe('runsc')
  for (const other of [{}, { annotations: null }, { annotations: { 'carrick.runtime': 1 } }, { annotations: 'runsc' }])
    expect(runtimeAsked(other)).toBeUndefined()
})

test('a backend that has runtimes decides about it, and one that has none refuses it in a sentence', () => {
  const asked: string[] = []
  requireRuntime({ requireRuntime: (name) => void asked.push(name) }, asking)
  expect(asked).toEqual(['runsc'])
  requireRuntime({}, {})
  expect(() => requireRuntime({}, asking)).toThrow('runtime "runsc" (annotation carrick.runtime), and runners here are')
})
