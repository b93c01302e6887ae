import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { silent } from '../../kit/logger.ts'
import { read, sql } from '../sql.ts'
import { openSqliteStore } from './index.ts'

const program = fileURLToPath(new URL('../../testing/commit-until-killed.ts', import.meta.url))

/** Runs the program until it has acknowledged so many writes, kills it, and answers all that it had acknowledged. */
async function acknowledgedBeforeKill(file: string, round: number, atLeast: number): Promise<string[]> {
  const args = ['--conditions=carrick-source', program, file, String(round)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const acknowledged: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    acknowledged.push(line)
    if (acknowledged.length === atLeast) child.kill('SIGKILL')
  })
  await once(lines, 'close')
  return acknowledged
}

test('what was acknowledged is there after kill -9, and a write is whole or absent', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-kill-'))
  const file = join(folder.path, 'carrick.db')
  const acknowledged: string[] = []
  for (let round = 0; round < 3; round += 1) {
    acknowledged.push(...(await acknowledgedBeforeKill(file, round, 1 + Math.floor(Math.random() * 400))))
  }

  const store = await openSqliteStore({ file, log: silent })
  const names = new Set(await store.read(read(sql`select name from installation`, (row) => String(row['name']))))
  await store.close()
  expect(acknowledged.length).toBeGreaterThan(2)
  expect(acknowledged.filter((name) => !names.has(name))).toEqual([])
  expect([...names].filter((name) => !name.endsWith('+') && !names.has(`${name}+`))).toEqual([])
})
