import { expect, test } from 'vitest'
import { EngineBuildError } from './engine-build.ts'
import { buildFailure, lineOf, plainWords, pullFailure } from './failure.ts'

const dockerfile = `# a comment
FROM python:3.11-slim AS build
ARG WHO=ann

run  echo one && \\
  # inside
  exit 3
COPY missing /x
RUN --mount=type=secret,id=token pip install nope
RUN echo "hello $WHO and more"
`

test.each([
  ['[build 2/4] RUN echo one &&   exit 3', 5],
  ['[build 3/4] COPY missing /x', 8],
  ['[build 4/4] RUN pip install nope', 9],
  ['RUN echo "hello bob and more"', 10],
  ['[internal] load metadata for docker.io/library/python', undefined],
  ['', undefined],
])('%s stands in its line', (step, line) => {
  expect(lineOf(dockerfile, step)).toBe(line)
})

test('a failing command is told with its line, its exit code and its last words', () => {
  const words =
    'failed to solve with frontend dockerfile.v0: failed to build LLB: executor failed running [/bin/sh -c exit 3]: exit code: 3'
  const error = new EngineBuildError(words, { step: '[build 3/4] COPY missing /x', lines: ['first', 'last'] })
  expect(buildFailure(error, dockerfile)).toMatchObject({
    code: 'build_failed',
    message:
      'The image could not be built: Dockerfile line 8: the command [/bin/sh -c exit 3] ended with exit code 3\nfirst\nlast',
  })
})

test('a line that the engine names is not named twice', () => {
  const error = new EngineBuildError(
    'failed to solve with frontend dockerfile.v0: failed to create LLB definition: Dockerfile parse error line 3: unknown instruction: RUNN',
  )
  expect(buildFailure(error, 'FROM a\n').message).toBe(
    'The image could not be built: Dockerfile parse error line 3: unknown instruction: RUNN',
  )
})

test('a full disk is told as that', () => {
  expect(buildFailure(new EngineBuildError('write /x: no space left on device'))).toMatchObject({ code: 'disk_full' })
})

test('a registry that lets nobody in is named, and its words are passed on', () => {
  expect(pullFailure(new Error('unauthorized: authentication required'), 'ghcr.io/ann/secret:v1').message).toMatch(
    /^The image ghcr\.io\/ann\/secret:v1 could not be pulled: the registry ghcr\.io refuses it, .*unauthorized: authentication required$/,
  )
  expect(pullFailure(new Error('manifest unknown'), 'ghcr.io/ann/gone').message).toMatch(/manifest unknown$/)
})

test.each([
  [
    'building at STEP "RUN echo some;   exit 3": while running runtime: exit status 3\n',
    'the command ended with exit code 3',
  ],
  [
    'building at STEP "RUNN ": Build error: Unknown instruction: "RUNN" &imagebuilder.Step{Env:[]string{"A=b"}}\n',
    'Unknown instruction: "RUNN"',
  ],
  [
    'building at STEP "COPY a /x": checking on sources under "/var/tmp/b/build": copier: stat: "/a": no such file or directory\n',
    '"/a": no such file or directory',
  ],
])('of Buildah’s words %j people are told %s', (words, told) => {
  expect(plainWords(words)).toBe(told)
})

test('what words came through is left out', () => {
  expect(plainWords('failed to solve: rpc error: code = Unknown desc = it broke')).toBe('it broke')
})
