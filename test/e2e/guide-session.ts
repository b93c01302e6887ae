import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { clients, root, type Carrick } from './carrick.ts'
import { missingLines, type Step } from './guide.ts'

const patienceMs = 180_000

/** What a block did: how it ended, and what it printed on both outputs. */
interface Said {
  readonly code: number
  readonly text: string
}

/** Somebody who types a guide's commands: one bash, in an empty folder that is its HOME, pointed at a server. */
export class GuideSession implements AsyncDisposable {
  readonly #folder: string
  readonly #bash: ChildProcess
  readonly #answers: AsyncIterator<string>
  #blocks = 0
  #printed = ''

  private constructor(folder: string, bash: ChildProcess) {
    this.#folder = folder
    this.#bash = bash
    this.#answers = createInterface({ input: bash.stdio[3] as NodeJS.ReadableStream })[Symbol.asyncIterator]()
  }

  /** `tools` is a folder whose programs come before all others. */
  static async start(carrick: Pick<Carrick, 'variables' | 'folder'>, tools?: string): Promise<GuideSession> {
    const folder = await mkdtemp(join(tmpdir(), 'carrick-guide-'))
    await mkdir(join(folder, 'work'))
    const path = [tools, await programs(folder), join(await clients(), 'bin'), process.env['PATH']]
    const env = {
      ...process.env,
      ...carrick.variables,
      HOME: folder,
      COLUMNS: '2000',
      CARRICK_DATA: carrick.folder,
      CARRICK_CHECKOUT: root,
      CARRICK_CACHE: join(root, '.cache'),
      PATH: path.filter((each) => each !== undefined).join(delimiter),
    }
    const options = { cwd: join(folder, 'work'), env, detached: true }
    const bash = spawn('bash', ['--noprofile', '--norc'], { ...options, stdio: ['pipe', 'ignore', 'ignore', 'pipe'] })
    bash.stdin?.on('error', () => {}) // it has ended: the block that ended it is what fails
    return new GuideSession(folder, bash)
  }

  /** Does one step. Throws what is wrong, with the block and all that it printed. */
  async take(step: Step, next: Step | undefined): Promise<void> {
    if (step.kind === 'file') return this.#write(step.path, step.text)
    if (step.kind === 'output') return expectLines(step, this.#printed)
    if (step.ends === 'until') return this.#repeat(step, next)
    const { code, text } = await this.#run(step.script, step.ends === 'badly')
    this.#printed = text
    if ((code === 0) !== (step.ends === 'well')) throw wrong(step, `ended with ${code}`, text)
  }

  /** Again and again, until it ends well and prints what the next block says. */
  async #repeat(step: Extract<Step, { kind: 'run' }>, next: Step | undefined): Promise<void> {
    const giveUp = performance.now() + patienceMs
    const expected = next?.kind === 'output' ? next.lines : []
    for (;;) {
      const { code, text } = await this.#run(step.script, true)
      this.#printed = text
      if (code === 0 && missingLines(expected, text).length === 0) return
      if (performance.now() > giveUp) throw wrong(step, `never came true; it ended with ${code}`, text)
      await new Promise((wake) => setTimeout(wake, 200))
    }
  }

  async #write(path: string, text: string): Promise<void> {
    const file = join(this.#folder, 'work', path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, `${text}\n`)
  }

  /** In the session itself, so that what it exports lasts; `apart` in a shell of its own, which may end badly. */
  async #run(script: string, apart: boolean): Promise<Said> {
    const name = join(this.#folder, `block-${++this.#blocks}`)
    await writeFile(`${name}.sh`, `set -eo pipefail\n${script}\n`)
    const source = apart ? `(source '${name}.sh')` : `{ source '${name}.sh'; set +eo pipefail; }`
    this.#bash.stdin?.write(`${source} >'${name}.out' 2>&1 </dev/null\necho $? >&3\n`)
    const code = await this.#answer()
    return { code, text: await readFile(`${name}.out`, 'utf8').catch(() => '') }
  }

  /** The exit code of what was sent last, which `set -e` makes the exit code of bash when it is not 0. */
  async #answer(): Promise<number> {
    const late = new AbortController()
    const timer = new Promise<never>((_, reject) => {
      const handle = setTimeout(() => reject(new Error(`no end after ${patienceMs / 1000} s`)), patienceMs)
      late.signal.addEventListener('abort', () => clearTimeout(handle))
    })
    try {
      const { value, done } = await Promise.race([this.#answers.next(), timer])
      if (done !== true) return Number(value)
      if (this.#bash.exitCode === null) await once(this.#bash, 'exit')
      return this.#bash.exitCode ?? 1
    } finally {
      late.abort()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#bash.pid !== undefined) process.kill(-this.#bash.pid, 'SIGKILL') // with all that the guide left behind
    } catch {
      // it has ended, and nothing is left
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** `carrick` of this checkout, `npx` that runs what is there, and the node that this test runs on. */
async function programs(folder: string): Promise<string> {
  const bin = join(folder, 'bin')
  await mkdir(bin)
  await symlink(join(root, 'packages/cli/bin/carrick.js'), join(bin, 'carrick'))
  await symlink(process.execPath, join(bin, 'node'))
  await writeFile(join(bin, 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 })
  return bin
}

function expectLines(step: Extract<Step, { kind: 'output' }>, printed: string): void {
  const missing = missingLines(step.lines, printed)
  if (missing.length === 0) return
  throw new Error(`line ${step.line}: it did not print\n\n${missing.join('\n')}\n\nbut\n\n${printed}`)
}

function wrong(step: Extract<Step, { kind: 'run' }>, what: string, printed: string): Error {
  return new Error(`line ${step.line}: it ${what}\n\n${step.script}\n\nand printed\n\n${printed}`)
}
