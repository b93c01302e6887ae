import { expect, test } from 'vitest'
import { HostedRunStatus_State } from '@carrick/protocol/gen/controller_pb.js'
import type { RunValue } from '../../domain/run-value.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import type { Asked, HostFacts } from './function-call.ts'

const environments = [{ kind: 'virtualenv', configuration: { python_version: '3.11' } }]
const five: RunValue = { kind: 'value', method: 'pickle', definition: Buffer.from('5'), raised: false }

/** The calls of functions that were asked for; each brings forth this. */
function callsOf({ script }: TestControl, value: RunValue = five): (HostFacts & Asked)[] {
  const calls: (HostFacts & Asked)[] = []
  script.call = async (facts, asked) => {
    calls.push({ ...facts, ...asked })
    return value
  }
  return calls
}

async function messagesOf<T>(stream: AsyncIterable<T>): Promise<readonly T[]> {
  const messages: T[] = []
  for await (const message of stream) messages.push(message)
  return messages
}

test('a function is called by its host, and its value comes with the end', async () => {
  await using control = await openTestControl()
  const calls = callsOf(control)
  const callable = { case: 'function', value: { method: 'cloudpickle', definition: Buffer.from('code') } } as const
  const stream = control.client().run({ environments, callable, applicationName: 'add' })
  const messages = await messagesOf(stream)
  expect(messages.at(-1)).toMatchObject({
    status: { state: HostedRunStatus_State.SUCCESS },
    returnValue: { method: 'pickle', wasItRaised: false },
  })
  expect(calls).toMatchObject([{ id: messages.at(-1)?.runId, name: 'add', spec: { run: 'host' } }])
})

test('what an entry point says of itself is asked as of a function, also where it names a port', async () => {
  await using control = await openTestControl()
  const calls = callsOf(control)
  const ask = (value: string, exposedPort?: number) => {
    const machineRequirements = exposedPort === undefined ? {} : { exposedPort }
    return messagesOf(
      control.client().run({ environments, callable: { case: 'entrypoint', value }, machineRequirements }),
    )
  }
  await ask('shop:Shop.build_metadata', 8080)
  const messages = await ask('shop:greet.run_local')
  expect(calls.map(({ code }) => code)).toEqual([
    { entrypoint: 'shop:Shop.build_metadata' },
    { entrypoint: 'shop:greet.run_local' },
  ])
  expect(messages.every(({ serviceUrls }) => serviceUrls === undefined)).toBe(true)
})

test('after an exception the stream stays open until the caller, which reads no further, hangs up', async () => {
  await using control = await openTestControl()
  callsOf(control, { ...five, raised: true })
  const callable = { case: 'entrypoint', value: 'shop:greet.run_local' } as const
  const leaving = new AbortController()
  const stream = control.client().run({ environments, callable }, { signal: leaving.signal })[Symbol.asyncIterator]()
  expect((await stream.next()).value).toMatchObject({ returnValue: { wasItRaised: true } })
  const end = stream.next()
  leaving.abort()
  await expect(end).rejects.toThrow('aborted')
  // Whoever reads on sees the end all the same.
  await messagesOf(control.client().run({ environments, callable }))
})

test('code that cannot be loaded is told in the words that the stock client knows', async () => {
  await using control = await openTestControl()
  control.script.call = async () => ({ kind: 'unloadable', message: 'No module named cv2.' })
  const callable = { case: 'entrypoint', value: 'shop:greet.run_local' } as const
  await expect(messagesOf(control.client().run({ environments, callable }))).rejects.toThrow(
    'The function function could not be deserialized. No module named cv2.',
  )
})
