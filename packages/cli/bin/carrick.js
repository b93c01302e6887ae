#!/usr/bin/env node
// Plain JavaScript, because it may be started by an older Node: it hands over to the one that Carrick brings along.
// In a checkout the TypeScript sources run; in a published package the compiled files do.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const oldest = 24
const source = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const inCheckout = existsSync(source)
const main = inCheckout ? source : fileURLToPath(new URL('../dist/main.js', import.meta.url))

/** The bundled Node's program, or undefined where no package has one for this machine. */
function bundledNode() {
  const require = createRequire(import.meta.url)
  for (const name of [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`]) {
    try {
      return require.resolve(`${name}/bin/node`)
    } catch {
      continue
    }
  }
  return undefined
}

const node = Number(process.versions.node.split('.')[0]) >= oldest ? process.execPath : bundledNode()
if (node === undefined) {
  console.error(
    `Carrick needs Node ${oldest} or newer; this is ${process.versions.node} and no bundled one fits this machine.`,
  )
  process.exit(1)
}
const args = [
  '--disable-warning=ExperimentalWarning',
  '--no-allocation-site-pretenuring', // calls are short-lived, and V8 would take them for the opposite (docs/decisions/0067)
  '--max-semi-space-size=16', // short pauses (docs/decisions/0065)
  ...(inCheckout ? ['--conditions=carrick-source'] : []),
  main,
  ...process.argv.slice(2),
]

if (process.execve !== undefined) {
  // Becomes the new process: no second one stays in memory beside a server. That this call is young is no news to users.
  process.removeAllListeners('warning')
  process.execve(node, [node, ...args], process.env)
}
const child = spawn(node, args, { stdio: 'inherit' })
// A terminal's Ctrl-C reaches the child by itself; other signals are passed on, and its end is ours.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
