import { execFile } from 'node:child_process'
import { mkdtempDisposable } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../e2e/carrick.ts'

const bundler = new URL('./bundle.ts', import.meta.url).pathname
const limitMs = 120_000

/** `carrick` in a few files, for as long as it is held. */
export interface BundledServer extends AsyncDisposable {
  readonly program: string
}

/**
 * Bundles the server. A start loads a thousand modules otherwise, which is a third of its processor time, and to start a server is
 * most of what a round costs. Another process does it: it takes more memory than all the rest of the harness.
 */
export async function bundleServer(): Promise<BundledServer> {
  const folder = await mkdtempDisposable(join(root, '.cache', 'bundled-server-')) // packages that stay outside are looked for from there
  await promisify(execFile)(process.execPath, [bundler, folder.path], { timeout: limitMs })
  return { program: join(folder.path, 'main.mjs'), [Symbol.asyncDispose]: () => folder.remove() }
}
