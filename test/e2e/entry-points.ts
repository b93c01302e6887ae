import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './carrick.ts'

const makeWheel = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    info = "shop-1.0.dist-info/"
    wheel.write(sys.argv[2], "shop.py")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: shop\\nVersion: 1.0\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "RECORD", "")
`

/** A folder whose `pyproject.toml` names apps by entry point; their module comes as a wheel from a server of its own. */
export async function startEntryPoints(): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-entry-points-'))
  const name = 'shop-1.0-py3-none-any.whl'
  await promisify(execFile)('python3', ['-c', makeWheel, join(folder, name), join(root, 'test/e2e/apps/shop.py')])
  const wheel = await readFile(join(folder, name))
  const server = createServer((_, response) => response.end(wheel)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const requirement = `shop @ http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`
  const apps = { shop: 'Shop', greet: 'greet' }
  const tables = Object.entries(apps).map(
    ([app, symbol]) =>
      `[tool.fal.apps.${app}]\npython_entry_point = "shop:${symbol}"\nrequirements = ["fal", "${requirement}"]\n`,
  )
  await writeFile(join(folder, 'pyproject.toml'), tables.join(''))
  return {
    folder,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await rm(folder, { recursive: true })
    },
  }
}
