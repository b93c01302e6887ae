import { readFile } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import { once } from 'node:events'
import type Docker from 'dockerode'
import { z } from 'zod'
import { wordsOf } from '../../backends/docker/engine/engine.ts'
import { asPodmanTakesIt, isPodman } from '../../backends/docker/engine/podman.ts'

const Described = z.object({
  executable: z.string(),
  version: z.string(),
  packages: z.array(z.tuple([z.string(), z.string(), z.string()])),
})

/** A Python in an image, and what is installed for it: name, version, license. */
export type Described = z.infer<typeof Described>

const mostBytes = 4 * 1024 * 1024
const answerMs = 60_000

export interface Question {
  /** `describe.py`, as a file of this machine. */
  readonly script: string
  readonly programs: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** The first of these programs that is a Python in the image, asked without a network; undefined when none is. */
export async function describePython(
  engine: Docker,
  image: string,
  { script, programs, labels, signal }: Question,
): Promise<Described | undefined> {
  const code = await readFile(script, 'utf8')
  for (const program of programs) {
    const said = await runOnce(engine, { image, command: [program, '-c', code], labels, signal })
    const told = Described.safeParse(said === undefined ? undefined : jsonOf(said))
    if (told.success && told.data.executable.startsWith('/')) return told.data
  }
  return undefined
}

interface Once {
  readonly image: string
  readonly command: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** What a command prints in an image; undefined when it is not there or fails. Nothing is left of it. */
async function runOnce(engine: Docker, { image, command, labels, signal }: Once): Promise<string | undefined> {
  signal.throwIfAborted()
  const [program = '', ...args] = command
  const options = {
    Image: image,
    Entrypoint: [program],
    Cmd: args,
    Labels: { ...labels },
    Env: ['PYTHONDONTWRITEBYTECODE=1'],
    HostConfig: {
      NetworkMode: 'none',
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Memory: 512 * 1024 * 1024,
      PidsLimit: 64,
      LogConfig: { Type: 'none', Config: {} },
    },
  }
  const container = await engine.createContainer((await isPodman(engine)) ? await asPodmanTakesIt(options) : options)
  try {
    const stream = await container.attach({ stream: true, stdout: true, stderr: true })
    const output = new PassThrough()
    container.modem.demuxStream(stream, output, new PassThrough().resume())
    stream.on('end', () => output.end())
    stream.on('error', () => output.end()) // Podman hangs up where Docker ends
    const text = textOf(output)
    await container.start()
    const late = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
    const ended = await container.wait({ abortSignal: late })
    return statusCodeOf(ended) === 0 ? await text : undefined
  } catch (error) {
    signal.throwIfAborted()
    if (isMissing(error)) return undefined
    throw error
  } finally {
    await container.remove({ force: true }).catch(() => {}) // it may be gone; else its label gives it away
  }
}

/** The engine finds out at the start whether the program is there. */
function isMissing(error: unknown): boolean {
  return /no such file or directory|executable file not found|permission denied|not a directory/i.test(wordsOf(error))
}

const statusCodeOf = (ended: unknown) => z.object({ StatusCode: z.number() }).parse(ended).StatusCode

async function textOf(output: PassThrough): Promise<string> {
  let text = ''
  output.setEncoding('utf8').on('data', (more: string) => {
    if (text.length < mostBytes) text += more
  })
  await once(output, 'end')
  return text
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
