import { expect, test } from 'vitest'
import { narrate } from './narrate.ts'

test('what was said comes in order, and then the result', async () => {
  const story = narrate<string, number>(async (say) => {
    say('one')
    say('two')
    await Promise.resolve()
    say('three')
    return 4
  })
  expect(await heardFrom(story)).toEqual({ lines: ['one', 'two', 'three'], result: 4 })
})

test('a failure comes after all that was said before it', async () => {
  const story = narrate<string, never>(async (say) => {
    say('last words')
    throw new Error('boom')
  })
  expect(await story.next()).toEqual({ done: false, value: ['last words'] })
  await expect(story.next()).rejects.toThrow('boom')
})

test('the task goes on when nobody listens any longer', async () => {
  const finished = Promise.withResolvers<string>()
  const begun = Promise.withResolvers<void>()
  const story = narrate<string, void>(async (say) => {
    say('begun')
    await begun.promise
    finished.resolve('finished')
  })
  await story.next()
  await story.return(undefined)
  begun.resolve()
  expect(await finished.promise).toBe('finished')
})

async function heardFrom<Line, Result>(story: AsyncGenerator<readonly Line[], Result>) {
  const lines: Line[] = []
  for (;;) {
    const step = await story.next()
    if (step.done === true) return { lines, result: step.value }
    lines.push(...step.value)
  }
}
