import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

/** A program of this folder that runs, and says on a line of its own what is asked on a line. */
export interface Program extends AsyncDisposable {
  readonly pid: number
  /** Its next line, as JSON. */
  hear<T>(): Promise<T>
  ask<T>(question: string): Promise<T>
}

/** The gateway as `gateway-server.ts` starts it. */
export interface Server extends Program {
  readonly port: number
  /** Of its app: calls go there, submits below `/queue`. */
  readonly path: string
  readonly key: string
}

const gateway = 'gateway-server.ts'
/** What `carrick` starts Node with (packages/cli/bin/carrick.js). */
const asCarrick = ['--no-allocation-site-pretenuring', '--max-semi-space-size=16']

export function start(name: string, ...args: readonly string[]): Program {
  const program = new URL(`./${name}`, import.meta.url).pathname
  const flags = ['--conditions=carrick-source', ...(name === gateway ? asCarrick : [])]
  const child = spawn(process.execPath, [...flags, program, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const hear = async <T>() => JSON.parse((await said.next()).value ?? '{}') as T
  return {
    pid: child.pid ?? 0,
    hear,
    ask: (question) => (child.stdin.write(`${question}\n`), hear()),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
    },
  }
}

/** In a container: the id of a process there, and its address. */
export interface Inside {
  readonly pid: number
  readonly host: string
}

/** With a runner's port, the queue is served. */
export async function startServer(mode: 'durable' | 'nothing', runnerPort?: number, inside?: Inside): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  const runner = [runnerPort, inside?.pid, inside?.host].filter((each) => each !== undefined).map(String)
  const program = start(gateway, folder, mode, ...runner)
  const { port, path, key } = await program.hear<{ port: number; path: string; key: string }>()
  return {
    ...program,
    port,
    path,
    key,
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Runs a program of this folder to its end, and answers what it printed as JSON. */
export async function ran<T>(name: string, ...args: readonly (string | number)[]): Promise<T> {
  const program = new URL(`./${name}`, import.meta.url).pathname
  const options = { maxBuffer: 64 * 1024 * 1024 }
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args.map(String)], options)
  return JSON.parse(stdout) as T
}
