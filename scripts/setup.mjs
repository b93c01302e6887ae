// Makes a fresh checkout ready, then runs the npm script that was asked for: node scripts/setup.mjs <script> [arguments].
// Plain JavaScript, because it runs on the machine's own Node. The script it ends with runs on the Node that it installs.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const marker = join(root, 'node_modules', '.carrick-setup')
const oldestNode = 20
const oldestPython = [3, 10]

/** What the installed packages depend on: when it changes, they are installed again. */
function wantedPackages() {
  const manifests = [
    'package-lock.json',
    'package.json',
    ...['protocol', 'server', 'cli'].map((name) => `packages/${name}/package.json`),
  ]
  const hash = createHash('sha256')
  for (const file of manifests) hash.update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

/** Ends the process with npm's own words when it fails. */
function installPackages() {
  const wanted = wantedPackages()
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return
  console.error('Installing packages (first time, or they changed) …')
  const install = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', install, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(1)
  writeFileSync(marker, wanted)
}

/** One sentence that says what is missing and the command that repairs it, or undefined. */
export function complaint(nodeVersion, ask) {
  if (Number(nodeVersion.split('.')[0]) < oldestNode)
    return `Carrick needs Node ${oldestNode} or newer and this is ${nodeVersion}: install a newer one from your distribution or with a version manager.`
  let python
  try {
    python = ask('import sys; print(*sys.version_info[:2])').trim().split(' ').map(Number)
  } catch {
    return 'Carrick needs python3 and found none: apt-get install -y python3 python3-venv'
  }
  if (python[0] < oldestPython[0] || (python[0] === oldestPython[0] && python[1] < oldestPython[1]))
    return `Carrick needs Python ${oldestPython.join('.')} or newer and python3 is ${python.join('.')}: install a newer python3 and put it first on the PATH.`
  try {
    ask('import venv, ensurepip')
  } catch {
    return 'The python3 here cannot make virtual environments: apt-get install -y python3-venv'
  }
  return undefined
}

function askPython(program) {
  return execFileSync('python3', ['-c', program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 60_000,
  })
}

function run(script, args) {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], { cwd: root, stdio: 'inherit' })
  // The terminal sends Ctrl-C to the child as well: it decides how to end, and its code is ours.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [script, ...args] = process.argv.slice(2)
  const trouble = complaint(process.versions.node, askPython)
  if (trouble !== undefined) {
    console.error(trouble)
    process.exit(1)
  }
  installPackages()
  run(script, args)
}
