import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Carrick, clients } from './carrick.ts'

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

/** A package with an app in it, `tiny_greeter:Greeter`, and a function, `tiny_greeter:wave`, as a wheel that the server has. */
export async function requirementOfTinyPackage(carrick: Carrick, folder: string): Promise<string> {
  const name = 'tiny_greeter-1.0-py3-none-any.whl'
  const file = join(folder, name)
  await promisify(execFile)(join(await clients(), 'bin', 'python'), ['-c', makeWheel, file, code])
  return `tiny-greeter @ ${await carrick.upload(name, await readFile(file))}`
}
