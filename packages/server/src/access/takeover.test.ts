import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tryFileLock } from '../kit/file-lock.ts'
import { lockFileOf } from './data-folder.ts'
import { takeOver } from './takeover.ts'

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'carrick-takeover-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

const nobody = () => expect.unreachable('nobody is to be asked')

test('where no server runs there is nobody to ask', async () => {
  await takeOver(await folder(), 1_000, nobody)
  await takeOver('/nowhere/at/all', 1_000, nobody)
})

test('a process that has the id of the server, and is not it, is left alone', async () => {
  const path = await folder()
  using _held = tryFileLock(lockFileOf(path))
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'])
  onTestFinished(() => void other.kill('SIGKILL'))
  const server = {
    url: 'https://localhost:1',
    host: '127.0.0.1',
    port: 1,
    pid: other.pid,
    version: '0',
    ingress: 'localhost:2',
  }
  await writeFile(join(path, 'server.json'), JSON.stringify(server))
  await expect(takeOver(path, 1_000, nobody)).rejects.toThrow('cannot be asked to go')
  expect([other.exitCode, other.signalCode, other.killed]).toEqual([null, null, false])
})

test('a server that has not said who it is cannot be asked', async () => {
  const path = await folder()
  using _held = tryFileLock(lockFileOf(path))
  await expect(takeOver(path, 1_000, nobody)).rejects.toThrow('is starting')
})
