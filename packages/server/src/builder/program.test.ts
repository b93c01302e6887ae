import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, test, vi } from 'vitest'
import { runProgram } from './program.ts'

const variables = { PATH: process.env['PATH'] ?? '' }
const run = (script: string, onLine: (line: string) => void = () => {}, signal = new AbortController().signal) =>
  runProgram('sh', ['-c', script], { variables, folder: tmpdir(), onLine, signal })

const isAlive = (pid: string) => existsSync(`/proc/${pid}`)

test('says what the program says, and whether it succeeded', async () => {
  const lines: string[] = []
  expect(await run('echo out; echo err >&2; printf unfinished', (line) => lines.push(line))).toBe(true)
  expect(lines.toSorted()).toEqual(['err', 'out', 'unfinished'])
  expect(await run('exit 3')).toBe(false)
})

test('gives the program no variable but those it should have', async () => {
  const lines: string[] = []
  await run('env', (line) => lines.push(line.split('=')[0]!))
  expect(lines).not.toContain('HOME')
})

test.skipIf(process.platform !== 'linux')('ends it with all that it started when it is no longer wanted', async () => {
  const stop = new AbortController()
  const pids: string[] = []
  const running = run('sh -c "echo \\$\\$; exec sleep 600" & echo $$; wait', (pid) => pids.push(pid), stop.signal)
  await vi.waitFor(() => expect(pids).toHaveLength(2), 20_000)
  stop.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), 20_000)
})

test('does not wait for what the program left behind', async () => {
  expect(await run('sleep 600 & echo started')).toBe(true)
})

test('a program that is not there is an error', async () => {
  const signal = new AbortController().signal
  await expect(runProgram('/no/such', [], { variables, folder: tmpdir(), onLine: () => {}, signal })).rejects.toThrow(
    'ENOENT',
  )
})
