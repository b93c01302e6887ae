import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'

const Status = z.record(z.string(), z.unknown())
const patienceMs = 300_000

/** Runs the commands of the demo and shows each one. A command that fails ends the demo. */
export interface Shell {
  /** Shows what it prints, as it prints it. */
  run(command: string, args: readonly string[]): Promise<void>
  quietly(command: string, args: readonly string[]): Promise<{ stdout: string }>
  /** Waits until a number of `carrick status` has a value. */
  until(name: string, value: number): Promise<void>
}

/** `clients` is the Python environment with the stock tools; `variables` point them at the server. */
export function createShell(cwd: string, clients: string, variables: Record<string, string>): Shell {
  const env = { ...process.env, ...variables, PYTHONWARNINGS: 'ignore' }
  const programs: Record<string, readonly [string, ...string[]]> = {
    fal: [join(clients, 'bin', 'fal')],
    python: [join(clients, 'bin', 'python')],
    node: [process.execPath],
    carrick: [process.execPath, join(cwd, 'packages', 'cli', 'bin', 'carrick.js')],
  }
  const resolve = (command: string, args: readonly string[]) => {
    const [program, ...first] = programs[command] ?? [command]
    return [program, [...first, ...args]] as const
  }

  async function run(command: string, args: readonly string[]): Promise<void> {
    console.log(`$ ${[command, ...args].join(' ')}`)
    const [code] = await once(spawn(...resolve(command, args), { cwd, env, stdio: 'inherit' }), 'exit')
    if (code !== 0) throw new Error(`\`${[command, ...args].join(' ')}\` ended with ${String(code)}`)
  }

  async function quietly(command: string, args: readonly string[], shown = true): Promise<{ stdout: string }> {
    if (shown) console.log(`$ ${[command, ...args].join(' ')}`)
    return promisify(execFile)(...resolve(command, args), {
      cwd,
      env: { ...env, COLUMNS: '2000' }, // the stock tools wrap what they print, JSON too
      maxBuffer: 64 * 1024 * 1024,
      timeout: patienceMs,
    })
  }

  async function until(name: string, value: number): Promise<void> {
    console.log(`$ npx carrick status   # until it says ${value} ${name}`)
    const giveUp = performance.now() + patienceMs
    while (performance.now() < giveUp) {
      const { stdout } = await quietly('carrick', ['status', '--json'], false)
      if (Status.parse(JSON.parse(stdout))[name] === value) return
      await new Promise((wake) => setTimeout(wake, 500))
    }
    throw new Error(`after ${patienceMs / 1000} seconds there are still ${name}`)
  }

  return { run, quietly, until }
}
