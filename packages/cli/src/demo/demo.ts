import { loadSettings } from '@carrick/server/settings'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { clientEnvironment } from '../client-environment.ts'
import { connect } from '../connection.ts'
import { variablesOf } from '../env.ts'
import { startServer } from './server.ts'
import { createShell, type Shell } from './shell.ts'
import { leaveNothing } from './tidy.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const owner = 'demo'

interface Reading {
  readonly lines: readonly { readonly text: string }[]
  readonly revision: string
}

/** `carrick demo`: the main job on a throw-away server, each command shown as it runs. Throws when any step is wrong. */
export async function demo({ backend }: { readonly backend?: string }): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-demo-'))
  process.env['CARRICK_DATA'] = folder
  process.env['CARRICK_CACHE'] ??= join(root, '.cache')
  if (backend !== undefined) process.env['CARRICK_BACKEND'] = backend
  await choosePython()
  try {
    title('A server of its own, with a throw-away data folder')
    await using server = await startServer(folder, owner)
    void server
    const clients = await clientEnvironment((line) => console.log(line))
    const connection = await connect(folder)
    await walk(createShell(root, clients, await variablesOf(connection)))
    await leaveNothing(connection, [`${owner}/ocr`])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  console.log('\nThat was the main job. Next, in two terminals of your own:')
  console.log('  npx carrick up\n  eval "$(npx carrick env)"   # then: npx carrick deploy examples/hello/app.py::Hello')
}

/** Of the Pythons that the tools can run on, one whose base image is there: the demo has nothing to pull then. */
async function choosePython(): Promise<void> {
  const { config } = await loadSettings({ variables: process.env })
  if (config.CARRICK_BACKEND !== 'docker' || config.CARRICK_CLIENT_PYTHON !== '') return
  const { pythonWithBaseImage } = await import('@carrick/server/base-python')
  const python = await pythonWithBaseImage(config)
  if (python !== undefined) process.env['CARRICK_CLIENT_PYTHON'] = python
}

async function walk(shell: Shell): Promise<void> {
  title('Deploy a real model with the stock `fal` command')
  const first = await deploy(shell, 'the first revision')
  title('Its start-up check is over: with nobody calling, the app goes back to zero runners')
  await shell.until('runners', 0)

  title('Call it through the queue: from zero, then warm')
  const cold = await timed('cold', () => callPython(shell))
  const warm = await timed('warm', () => callPython(shell))
  same(cold.revision, first, 'the first call')
  same(textOf(warm), textOf(cold), 'the warm call')
  same(textOf(await timed('from TypeScript', () => callTypeScript(shell))), textOf(cold), 'the call from TypeScript')
  console.log(`\nThe text in the image:\n${textOf(cold).replaceAll(/^/gm, '  | ')}`)

  title('Who is running?')
  await shell.run('fal', ['runners', 'list'])

  title('A second revision, and back again')
  const second = await deploy(shell, 'the second revision')
  same((await callPython(shell)).revision, second, 'the call after the second deploy')
  await shell.run('fal', ['apps', 'set-rev', 'ocr', first])
  same((await callPython(shell)).revision, first, 'the call after the roll-back')

  title('And back to zero')
  await shell.until('runners', 0)
}

async function deploy(shell: Shell, what: string): Promise<string> {
  await shell.run('fal', ['deploy', 'examples/ocr/app.py::Ocr', '--app-name', 'ocr'])
  const { stdout } = await shell.quietly('fal', ['apps', 'list', '--json'])
  const revision = /"revision": *"([^"]+)"/.exec(stdout)?.[1]
  if (revision === undefined) throw new Error(`${what} is not in \`fal apps list\`:\n${stdout}`)
  return revision
}

const callArguments = [`${owner}/ocr`, 'examples/ocr/timetable.png']

async function callPython(shell: Shell): Promise<Reading> {
  return JSON.parse((await shell.quietly('python', ['examples/clients/call.py', ...callArguments])).stdout) as Reading
}

async function callTypeScript(shell: Shell): Promise<Reading> {
  return JSON.parse((await shell.quietly('node', ['examples/clients/call.ts', ...callArguments])).stdout) as Reading
}

const textOf = ({ lines }: Reading) => lines.map(({ text }) => text).join('\n')

async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now()
  const result = await work()
  console.log(`  ${name}: ${((performance.now() - started) / 1000).toFixed(2)} s, client start included`)
  return result
}

function same(seen: string, expected: string, what: string): void {
  if (seen !== expected) throw new Error(`${what} answered ${JSON.stringify(seen)}, not ${JSON.stringify(expected)}`)
}

function title(text: string): void {
  console.log(`\n— ${text}`)
}
