import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { S3Options } from '../blobs/s3/options.ts'
import { freePort } from './free-port.ts'

/** A server that speaks S3, installed by `.ci/run`. */
const program = fileURLToPath(new URL('../../../../.cache/tools/versitygw', import.meta.url))

/** Why there is none on this machine; undefined when there is one. */
export const withoutS3 = existsSync(program)
  ? undefined
  : 'needs versitygw: GOBIN=$PWD/.cache/tools go install github.com/versity/versitygw/cmd/versitygw@v1.8.0'

/** An object store of our own on loopback, gone with its data when it is disposed of. */
export interface TestS3 extends AsyncDisposable {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Where its buckets are as folders. */
  readonly folder: string
  /** How to reach a folder of a new, empty bucket. */
  newBucket(): Promise<S3Options>
  /** Ends it, as an outage. */
  stop(): Promise<void>
  /** Starts it again, on the port and the data that it had. */
  start(): Promise<void>
}

export async function startS3(): Promise<TestS3> {
  const home = await mkdtemp(join(tmpdir(), 'carrick-s3-'))
  const folder = join(home, 'buckets')
  await mkdir(folder)
  const port = await freePort()
  const [accessKeyId, secretAccessKey, endpoint] = ['carrick', 'a-secret-of-tests', `http://127.0.0.1:${port}`]
  let server: ChildProcess | undefined
  let buckets = 0

  async function start(): Promise<void> {
    const args = ['--port', `127.0.0.1:${port}`, 'posix', folder]
    const env = { PATH: process.env['PATH'], ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey }
    const child = spawn(program, args, { env, stdio: 'ignore', cwd: home })
    server = child
    while (!(await answers(port))) {
      if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}`)
      await rest(20)
    }
  }

  async function stop(): Promise<void> {
    const child = server
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  await start()
  return {
    endpoint,
    accessKeyId,
    secretAccessKey,
    folder,
    start,
    stop,
    async newBucket() {
      const name = `bucket-${(buckets += 1)}`
      await mkdir(join(folder, name))
      const address = `s3://${name}/some/prefix`
      return { address, endpoint, region: 'us-east-1', accessKeyId, secretAccessKey, pathStyle: true, idleMs: 5_000 }
    },
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
