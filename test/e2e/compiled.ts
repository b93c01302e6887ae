import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Names the folder, to all processes of a run. */
export const compiledVariable = 'CARRICK_TEST_COMPILED'

/**
 * Before end-to-end tests: a folder in which Node keeps what it compiled of Carrick. They start a server or a command some hundred
 * times, and half the processor time of a start from TypeScript is compiling.
 */
export async function setup(): Promise<() => Promise<void>> {
  if (process.env[compiledVariable] !== undefined) return async () => {} // of another project in this run
  const folder = await mkdtemp(join(tmpdir(), 'carrick-compiled-'))
  process.env[compiledVariable] = folder
  return () => rm(folder, { recursive: true, force: true })
}
