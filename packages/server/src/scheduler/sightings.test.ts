import { expect, test } from 'vitest'
import { manualClock } from '../testing/clock.ts'
import { FakeBackend } from '../testing/fake-backend.ts'
import { Sightings } from './sightings.ts'

const never = new AbortController().signal
const spec = (id: string) => ({
  id,
  appId: 'app',
  revisionId: 'r',
  accountId: 'a1',
  command: [],
  variables: {},
  mounts: [],
})

async function watched() {
  const [backend, clock] = [new FakeBackend(), manualClock(1_000)]
  const sightings = new Sightings(backend, clock, 10_000)
  await backend.start(spec('one'))
  await backend.start(spec('other'))
  await sightings.look(never)
  backend.onChange((id) => sightings.expectChange(id))
  return { backend, clock, sightings }
}

test('when nothing was told there is no look, until it is time for a whole one', async () => {
  const { clock, sightings } = await watched()
  expect(await sightings.look(never)).toBeUndefined()
  clock.advance(10_000)
  expect(await sightings.look(never)).toMatchObject({ isWhole: true, listed: { size: 2 } })
})

test('what is told of one is seen without a look at the others, once', async () => {
  const { backend, sightings } = await watched()
  backend.accept('one')
  const look = await sightings.look(never)
  expect([look?.isWhole, ...(look?.listed.keys() ?? [])]).toEqual([false, 'one'])
  expect(await sightings.look(never)).toBeUndefined()
})

test('one that was told of and is not there is unlisted', async () => {
  const { sightings } = await watched()
  sightings.expectChange('gone')
  expect((await sightings.look(never))?.listed.get('gone')).toEqual({ kind: 'unlisted' })
})

test('after a look that failed, the next is at everything', async () => {
  const { backend, sightings } = await watched()
  const list = backend.list.bind(backend)
  backend.list = () => Promise.reject(new Error('no answer'))
  backend.accept('one')
  await expect(sightings.look(never)).rejects.toThrow('no answer')
  backend.list = list
  expect(await sightings.look(never)).toMatchObject({ isWhole: true, listed: { size: 2 } })
})
