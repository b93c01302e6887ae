import { expect, test } from 'vitest'
import { PushAhead } from './push-ahead.ts'

const image = { environment: 'e', image: 'sha256:0', signal: new AbortController().signal }

test('who waits is told so, once there is something to wait for', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const ahead = new PushAhead(() => promise, image)
  const lines: string[] = []
  const over = ahead.over((line) => lines.push(line))
  expect(lines).toEqual(['Waiting until what the image goes on is in the registry'])
  resolve()
  await over
  await ahead.over((line) => lines.push(line))
  expect(lines).toHaveLength(1)
})

test('what fails is no matter: the push of the whole image says it', async () => {
  const ahead = new PushAhead(() => Promise.reject(new Error('no such registry')), image)
  await expect(ahead.over(() => {})).resolves.toBeUndefined()
})

test('a build that fails ends what goes ahead of it, and waits for that', async () => {
  let isEnded = false
  const push = ({ signal }: { readonly signal: AbortSignal }) =>
    new Promise<void>((_, reject) =>
      signal.addEventListener('abort', () => ((isEnded = true), reject(signal.reason as Error))),
    )
  await new PushAhead(push, image).leave()
  expect(isEnded).toBe(true)
})
