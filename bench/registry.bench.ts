import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempDisposable, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Carrick } from '../test/e2e/carrick.ts'
import { startNginx } from './nginx.ts'
import { median, type Report } from './report.ts'

const layerBytes = 256 * 1024 * 1024
const rounds = 7
const memory = '/dev/shm'

/**
 * Question: what does it cost to move a layer of 256 MiB through the registry, beside copying the same bytes with curl from
 * nginx? Expected: about as much where there are two cores for it. A pull is curl as well, and the registry only moves
 * bytes. A push computes their digest besides, a third of a second of processor time for 512 MiB, in a thread of its own
 * while the rest goes on: on a machine that is busy with other things it is slower by that. All without TLS, by turns, and
 * in memory: a disk would be all that is measured. Each of them makes a file that was not there: to free the memory of the one
 * before takes 25 ms.
 */
export async function registry(report: Report): Promise<void> {
  await using folder = await mkdtempDisposable(join(memory, 'carrick-bench-registry-'))
  await using carrick = await Carrick.start({ CARRICK_KEEP_FREE: '0' }, memory)
  const layer = join(folder.path, 'layer')
  const digest = await makeLayer(layer)
  await using nginx = await startNginx([], 1, layer)
  if (nginx === undefined) return console.error('nginx is not here: the registry is not asked')
  const copy = join(folder.path, 'copy')
  const ours = carrick.url.replace('https://localhost', 'http://127.0.0.1')
  const auth = ['-u', `any:${carrick.variables['FAL_KEY'] ?? ''}`]
  const blobs = `${ours}/v2/tester/bench/blobs`
  const copied = ['-o', copy, `http://127.0.0.1:${nginx.files}/layer`]
  const [push, pull, copies]: [number[], number[], number[]] = [[], [], []]
  const stored = join(carrick.folder, blobPlace(digest))
  for (let round = 0; round < rounds; round += 1) {
    await rm(stored, { force: true })
    push.push(await took(() => curl(...auth, '-X', 'POST', '-T', layer, `${blobs}/uploads?digest=${digest}`)))
    pull.push(await took(() => curl(...auth, '-o', copy, `${blobs}/${digest}`)))
    if ((await stat(copy)).size !== layerBytes) throw new Error('the layer that came is not whole')
    await rm(copy)
    copies.push(await took(() => curl(...copied)))
    await rm(copy)
  }
  const speed = (times: readonly number[]) => `${Math.round(layerBytes / 1_048_576 / (median(times) / 1_000))} MiB/s`
  const add = (what: string, of: number[], to: number[]) =>
    report.add(`${what} (${speed(of)})`, median(to) / median(of), { atLeast: 0.8 })
  add('push of a layer ÷ curl from nginx', push, copies)
  add('pull of a layer ÷ curl from nginx', pull, copies)
}

/** Below the data folder. */
function blobPlace(digest: string): string {
  const key = digest.slice('sha256:'.length)
  return join('blobs', key.slice(0, 2), key)
}

async function makeLayer(path: string): Promise<string> {
  const hash = createHash('sha256')
  await using file = await open(path, 'w')
  const block = randomBytes(16 * 1024 * 1024)
  for (let written = 0; written < layerBytes; written += block.length) {
    block.writeUInt32LE(written >>> 0)
    hash.update(block)
    await file.writeFile(block)
  }
  await file.sync()
  return `sha256:${hash.digest('hex')}`
}

async function took(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

async function curl(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('curl', ['--silent', '--show-error', '--fail', '-H', 'Expect:', ...args])
}
