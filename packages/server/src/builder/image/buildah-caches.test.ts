import { expect, test } from 'vitest'
import { mountsFiles, withOwnCaches } from './buildah-caches.ts'

const idOf = (own: string) => `own-${own.replaceAll('/', '_')}`

test.each([
  ['RUN --mount=type=cache,target=/c make', 'RUN --mount=type=cache,target=/c,id=own-_c make'],
  ['RUN --mount=target=/c,type=cache,id=x make', 'RUN --mount=target=/c,type=cache,id=own-x make'],
  [
    'run --mount=type=secret,id=a --mount=type=cache,dst=/c \\\n  make',
    'run --mount=type=secret,id=a --mount=type=cache,dst=/c,id=own-_c \\\n  make',
  ],
  ['RUN --mount="type=cache",id=x,target=/c make', 'RUN --mount="type=cache",target=/c,id=own-x make'],
  ['RUN --mount=type=secret,id=x make', 'RUN --mount=type=secret,id=x make'],
])('%j mounts a cache of its owner alone, in the line where it stood', (given, own) => {
  expect(withOwnCaches(given, idOf)).toBe(own)
})

test.each([
  ['RUN --mount=type=cache,target=/c --mount=type=secret,id=x make', false],
  ['RUN --mount=type=bind,source=src,target=/src make', true],
  ['RUN --mount=target=/src make', true],
  ['RUN make', false],
])('%j mounts files that a cache of steps does not look at: %s', (given, mounts) => {
  expect(mountsFiles(given)).toBe(mounts)
})
