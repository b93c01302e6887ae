import { expect, test } from 'vitest'
import { BuildahTrace } from './buildah-trace.ts'

function traced(said: readonly string[], labels: Record<string, string> = {}) {
  const lines: string[] = []
  const trace = new BuildahTrace({ onLine: (line) => void lines.push(line), labels })
  said.forEach((text) => trace.take(text))
  trace.end()
  return { lines, trace }
}

test('steps are named as BuildKit names them, and Buildah’s own affairs are left out', () => {
  const said = [
    '[1/2] STEP 1/2: FROM python:3.11-slim AS build\n',
    '[1/2] STEP 2/2: RUN --mount=type=secret,id=x make\n',
    'made',
    '--> 9f1eca802bc\n',
    '[2/2] STEP 1/3: FROM python:3.11-slim\n',
    '[2/2] STEP 2/3: COPY --from=build /a /a\n',
    `--> Using cache ${'a'.repeat(64)}\n`,
    '[2/2] STEP 3/3: LABEL "carrick.environment"="x"\n',
    '[2/2] COMMIT\n',
    '--> aeaad2a9c32\n',
    `${'b'.repeat(64)}\n`,
  ]
  expect(traced(said, { 'carrick.environment': 'x' }).lines).toEqual([
    '[build 1/2] FROM python:3.11-slim AS build',
    '[build 2/2] RUN make',
    'made',
    '[stage-1 1/2] FROM python:3.11-slim',
    '[stage-1 2/2] COPY --from=build /a /a',
    '(unchanged)',
  ])
})

test('what failed is the step that was under way, with its last words', () => {
  const said = ['STEP 1/2: FROM a\n', 'Trying to pull registry.test/a:latest...\n', 'STEP 2/2: RUN make\n', 'one\ntwo']
  const { trace } = traced(said)
  expect(trace.failure).toEqual({ step: '[2/2] RUN make', lines: ['one', 'two'] })
  expect([...trace.pulled]).toEqual(['registry.test/a:latest'])
})
