import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { clients } from './carrick.ts'

const makeWheel = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    info = "tiny_greeter-1.0.dist-info/"
    wheel.writestr("tiny_greeter/__init__.py", sys.argv[2])
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny-greeter\\nVersion: 1.0\\nRequires-Dist: fal==1.83.0\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "RECORD", "")
`

const code = `
import os
import fal
from pydantic import BaseModel

class Name(BaseModel):
    name: str = "world"

class Greeter(fal.App):
    keep_alive = 1  # an entry point's settings come from its table, so this counts for nothing

    def setup(self) -> None:
        self.greeting = "hello"

    @fal.endpoint("/greet")
    def greet(self, name: Name) -> dict:
        return {"text": f"{self.greeting} {name.name}", "revision": os.environ["FAL_APP_ID"], "folder": os.getcwd()}

@fal.function(machine_type="XS")
def wave() -> str:
    print("waving from an entry point")
    return "waved"
`

/** A package with an app in it, `tiny_greeter:Greeter`, and a function, `tiny_greeter:wave`, as a wheel that a server on loopback serves. */
export async function serveTinyPackage(folder: string): Promise<{ requirement: string; close: () => void }> {
  const name = 'tiny_greeter-1.0-py3-none-any.whl'
  const file = join(folder, name)
  await promisify(execFile)(join(await clients(), 'bin', 'python'), ['-c', makeWheel, file, code])
  const wheel = await readFile(file)
  const server = createServer((_, response) => void response.end(wheel)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { requirement: `tiny-greeter @ http://127.0.0.1:${port}/${name}`, close: () => void server.close() }
}
