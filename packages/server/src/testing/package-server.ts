import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const makeWheel = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    info = "gated-1.0.dist-info/"
    wheel.writestr("gated.py", "value = 1\\n")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: gated\\nVersion: 1.0\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "RECORD", "")
`

/** Serves one package behind a gate, so that a test decides how long a build takes. */
export interface PackageServer {
  /** A requirement that cannot be installed while the gate is closed. */
  requirement(name?: string): string
  /** Resolves when somebody stands before the gate. */
  arrival(): Promise<void>
  /** The paths that were asked for, in order. */
  asked(): readonly string[]
  /** How many stand before the gate. */
  waiting(): number
  open(): void
  shut(): void
  close(): Promise<void>
}

/** At an address of this machine: containers reach none of its loopback. */
export async function startPackageServer(address = '127.0.0.1'): Promise<PackageServer> {
  const wheel = await readWheel()
  let gate = Promise.withResolvers<void>()
  let arrival = Promise.withResolvers<void>()
  let isShut = true
  let waiting = 0
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    asked.push(request.url ?? '')
    waiting += 1
    response.once('close', () => (waiting -= 1))
    arrival.resolve()
    await gate.promise
    response.end(wheel)
  })
  server.listen(0, address)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    requirement: (name = 'one') => `gated @ http://${address}:${port}/${name}/gated-1.0-py3-none-any.whl`,
    arrival: () => arrival.promise,
    asked: () => asked,
    waiting: () => waiting,
    open: () => ((isShut = false), gate.resolve()),
    shut() {
      if (!isShut) gate = Promise.withResolvers()
      isShut = true
      arrival = Promise.withResolvers()
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function readWheel(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-wheel-'))
  try {
    const file = join(folder, 'gated-1.0-py3-none-any.whl')
    await promisify(execFile)('python3', ['-c', makeWheel, file])
    return await readFile(file)
  } finally {
    await rm(folder, { recursive: true })
  }
}
