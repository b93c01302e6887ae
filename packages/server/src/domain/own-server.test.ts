import { expect, test } from 'vitest'
import { isOwnServer } from './own-server.ts'

const pickled = { method: 'dill', blob: 'blob' }
const openapi = { paths: {} }

test.each([
  ['an image alone', { callable: { serves: 'image' as const }, exposedPort: 80, metadata: {} }, true],
  ['an image that is described', { callable: { serves: 'image' as const }, metadata: { openapi } }, true],
  ['a function that binds a port', { callable: pickled, exposedPort: 8080, metadata: { message: 'first' } }, true],
  ['an app of the SDK', { callable: pickled, exposedPort: 8080, metadata: { openapi } }, false],
  ['an entry point of the SDK', { callable: { entrypoint: 'a:b' }, exposedPort: 8080, metadata: { openapi } }, false],
  ['what serves where it is told', { callable: pickled, metadata: {} }, false],
])('%s', (_, spec, is) => expect(isOwnServer(spec)).toBe(is))
