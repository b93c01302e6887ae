import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run as ask } from '../../engine/run.ts'
import { Carrick, until, type Ended } from '../carrick.ts'

/* What the stock `fal deploy` brings to a server whose runners are containers: all kinds of apps, and what goes wrong. */

let carrick: Carrick
let folder: string
let base: string
let python: string

const colours = new RegExp(String.raw`\u001b\[[\d;]*m`, 'g')
const plain = ({ stdout, stderr }: Ended) => `${stdout}\n${stderr}`.replaceAll(colours, '')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-deploys-'))
  const names = await ask('docker', ['images', '--format', '{{.Repository}}:{{.Tag}}'])
  python = await ask('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])
  base = `python:${python}-slim`
  expect(names.split('\n')).toContain(base)
  carrick = await Carrick.start({ CARRICK_BASE_IMAGE: base })
})
afterAll(async () => {
  await carrick?.[Symbol.asyncDispose]()
  await ask('docker', ['image', 'rm', '--force', serverImage, silentImage]).catch(() => {})
  await rm(folder, { recursive: true, force: true })
})

/** A project of its own for one app. */
async function project(name: string, table: string, files: Record<string, string> = {}): Promise<string> {
  const place = join(folder, name)
  await mkdir(place, { recursive: true })
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(place, path, '..'), { recursive: true })
    await writeFile(join(place, path), text)
  }
  await writeFile(join(place, 'pyproject.toml'), `[tool.fal.apps.${name}]\n${table}`)
  return place
}

const deployIn = (place: string, name: string) => carrick.falIn(place, ['deploy', name])

async function deployed(place: string, name: string): Promise<string> {
  const ended = await deployIn(place, name)
  expect(ended.code, plain(ended)).toBe(0)
  return plain(ended)
}

async function answer(path: string, body: object = {}): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' }
  const response = await carrick.ask(`/tester/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  const text = await response.text()
  expect(response.status, text).toBe(200)
  return JSON.parse(text) as Record<string, unknown>
}

/** Everything that the server has on disk about deploys. */
async function onDisk(word: string): Promise<readonly string[]> {
  const files = (await readdir(carrick.folder)).filter((file) => file.startsWith('carrick.sqlite'))
  const found = await promisify(execFile)('grep', ['-rlF', '--', word, ...files], { cwd: carrick.folder }).catch(
    () => ({ stdout: '' }),
  )
  return found.stdout.split('\n').filter((line) => line !== '')
}

const revisionOf = async (app: string): Promise<string> => {
  const { stdout } = await carrick.fal('apps', 'list', '--json')
  const apps = JSON.parse(stdout) as { apps: { alias: string; revision: string }[] }
  return apps.apps.find(({ alias }) => alias === app)?.revision ?? ''
}

const reader = (image: string) => `
import os
import fal
from fal.container import ContainerImage
from pydantic import BaseModel

class Reader(fal.App):
    keep_alive = 30
    machine_type = "XS"
    image = ContainerImage.from_dockerfile_str(${image})

    @fal.endpoint("/")
    def read(self) -> dict:
        words = open("/opt/words/first.txt").read().strip()
        return {"words": words, "mark": open("/opt/mark").read().strip(), "level": os.environ["LEVEL"],
                "secret": os.path.exists("/run/secrets/token"), "revision": os.environ["FAL_APP_ID"],
                "mine": os.environ.get("TOKEN"), "files": sorted(os.listdir("/opt/words"))}
`
const readerImage = () => `"""
FROM ${base}
ARG LEVEL=0
ENV LEVEL=$LEVEL
COPY words/ /opt/words/
RUN --mount=type=secret,id=token sha256sum /run/secrets/token | cut -c1-12 > /opt/mark
""", build_args={"LEVEL": "7"}, secrets={"token": "$TOKEN"}, context_dir="."`

/** Files that the author's `.dockerignore` keeps out of the image. */
const ignored = { 'words/draft.txt': 'not yet', '.dockerignore': 'words/draft.*\n' }

describe('an app with a Dockerfile', () => {
  test('is built of its context, its arguments and its secrets, of which nothing stays', async () => {
    const place = await project('reader', '', {
      'app.py': reader(readerImage()),
      'words/first.txt': 'one two\n',
      ...ignored,
    })
    const missing = await carrick.falIn(place, ['deploy', 'app.py::Reader', '--app-name', 'reader'])
    expect(missing.code).toBe(1)
    expect(plain(missing)).toContain('Secret "TOKEN" not found in environment "main"')
    await carrick.fal('secrets', 'set', 'TOKEN=what only the build sees', '--not-exposed-by-default')
    const ended = await carrick.falIn(place, ['deploy', 'app.py::Reader', '--app-name', 'reader'])
    expect(ended.code, plain(ended)).toBe(0)
    expect(plain(ended)).not.toContain('what only the build sees')
    expect(await answer('reader')).toMatchObject({
      words: 'one two',
      level: '7',
      secret: false,
      mark: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
      mine: null,
      files: ['first.txt'],
    })
    expect(await onDisk('what only the build sees')).toEqual([])
  })

  test('is built anew for a file that changed, and an old image is gone back to', async () => {
    const place = join(folder, 'reader')
    const first = await revisionOf('reader')
    await writeFile(join(place, 'words/first.txt'), 'three four\n')
    const again = await carrick.falIn(place, ['deploy', 'app.py::Reader', '--app-name', 'reader'])
    expect(again.code, plain(again)).toBe(0)
    expect(await answer('reader')).toMatchObject({ words: 'three four' })
    expect(await revisionOf('reader')).not.toBe(first)
    expect((await carrick.fal('apps', 'set-rev', 'reader', first)).code).toBe(0)
    expect(await answer('reader')).toMatchObject({ words: 'one two', revision: first })
  })

  test('is pulled from the registry by a runner when the engine has lost its image', async () => {
    const first = await revisionOf('reader')
    await answer('reader')
    const place = `127.0.0.1:${new URL(carrick.url).port}/`
    const running = await lines('docker', 'ps', '--filter', 'label=carrick.runner', '--format', '{{.ID}} {{.Image}}')
    const [container] = running.filter((line) => line.includes(place)).map((line) => line.split(' ')[0])
    const owner = await ask('docker', [
      'inspect',
      '--format',
      '{{index .Config.Labels "carrick.installation"}}',
      container ?? '',
    ])
    for (const { id } of await runners()) await carrick.fal('runners', 'kill', id)
    await until(async () => (await runners()).length === 0, 'no runner to be there')
    const filter = `label=carrick.installation=${owner}`
    const ids = await lines('docker', 'images', '--quiet', '--filter', filter)
    await ask('docker', ['image', 'rm', '--force', ...new Set(ids)])
    expect(await lines('docker', 'images', '--quiet', '--filter', filter)).toEqual([])
    expect(await answer('reader')).toMatchObject({ words: 'one two', revision: first })
  })

  test.each([
    ['a step that fails, with its line', 'FROM {base}\\nRUN echo before && exit 3', /Dockerfile.*2|line 2|:2/],
    ['a word that is none, with its line', 'FROM {base}\\n\\nRUNN echo', /line 3[^]*RUNN|RUNN[^]*line 3/],
    ['a base image that nobody has, in the words of its registry', 'FROM 127.0.0.1:1/no/such:1', /127\.0\.0\.1:1/],
    ['a file that is not in its context', 'FROM {base}\\nCOPY nothing /nothing', /nothing/],
  ])('is refused for %s', async (_, text, words) => {
    const image = `"${text.replace('{base}', base)}", context_dir="."`
    const place = await project('wrong', '', { 'app.py': reader(image), 'words/first.txt': '' })
    const ended = await carrick.falIn(place, ['deploy', 'app.py::Reader', '--app-name', 'wrong'])
    expect(ended.code).toBe(1)
    expect(plain(ended)).toMatch(words)
    expect(await revisionOf('wrong')).toBe('')
  })
})

describe('an entry point in an image', () => {
  test('is asked what it is, and served', async () => {
    const dockerfile = `FROM ${base}\nCOPY greeter.py /opt/code/greeter.py\nENV PYTHONPATH=/opt/code\n`
    const table = [
      'python_entry_point = "greeter:Greeter"',
      `python_version = "${python}"`,
      'requirements = ["fal==1.83.0"]',
      'machine_type = "XS"',
      'keep_alive = 30',
      '[tool.fal.apps.greeter.image]\ndockerfile = "Dockerfile"\n',
    ].join('\n')
    const place = await project('greeter', table, { Dockerfile: dockerfile, 'greeter.py': greeter })
    await deployed(place, 'greeter')
    expect(await answer('greeter/greet', { name: 'ann' })).toEqual({ text: 'hello ann' })
    const metadata = await carrick.ask('/applications/tester/greeter/metadata')
    expect(await metadata.json()).toMatchObject({ openapi: { paths: { '/greet': {} } } })
  })
})

const greeter = `
import fal
from pydantic import BaseModel

class Name(BaseModel):
    name: str = "world"

class Greeter(fal.App):
    @fal.endpoint("/greet")
    def greet(self, name: Name) -> dict:
        return {"text": f"hello {name.name}"}
`

const serverImage = `carrick-test-server:${process.pid}`
const silentImage = `carrick-test-silent:${process.pid}`

const server = `
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = json.dumps({"path": self.path, "method": self.command, "said": sys.argv[1:],
                           "data": sorted(os.listdir("/data"))}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_PUT = answer
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 9000), Handler).serve_forever()
`

const isPodman = (await ask('docker', ['version'])).includes('Podman Engine')

/** An image as somebody has it who knows nothing of us. */
async function makeImage(name: string, files: Record<string, string>, dockerfile: string): Promise<void> {
  const place = await mkdtemp(join(folder, 'image-'))
  for (const [path, text] of Object.entries({ ...files, Dockerfile: dockerfile }))
    await writeFile(join(place, path), text)
  await ask('docker', ['build', '--quiet', '--tag', name, place])
}

describe('an image that serves by itself', () => {
  test('is deployed by its name, with another command, and gets every path and method', async () => {
    await makeImage(serverImage, { 'server.py': server }, `FROM ${base}\nCOPY server.py /server.py\nCMD ["false"]\n`)
    const table = [
      'exposed_port = 9000',
      'machine_type = "XS"',
      'keep_alive = 30',
      `[tool.fal.apps.plain.image]\nimage = "${serverImage}"\ncmd = "python3 /server.py --name 'a b'"`,
      '[tool.fal.apps.plain.health_check]\npath = "/up"\n',
    ].join('\n')
    await deployed(await project('plain', table), 'plain')
    expect(await answer('plain/any/path?x=1')).toMatchObject({
      path: '/any/path?x=1',
      method: 'POST',
      said: ['--name', 'a b'],
      data: expect.any(Array) as string[],
    })
    const put = await carrick.ask('/tester/plain/other', { method: 'PUT', body: '{}' })
    expect(await put.json()).toMatchObject({ method: 'PUT' })
  })

  test('that never listens is ended at its startup_timeout, with its last 50 lines', async () => {
    const counting = 'for i in $(seq 60); do echo "line $i."; done; exec sleep 1000'
    await makeImage(silentImage, {}, `FROM ${base}\nCMD ${JSON.stringify(['sh', '-c', counting])}\n`)
    const table = [
      'exposed_port = 9000',
      'machine_type = "XS"',
      'startup_timeout = 15', // sixty lines on a machine that is busy with others
      `[tool.fal.apps.silent.image]\nimage = "${silentImage}"\n`,
    ].join('\n')
    const ended = await deployIn(await project('silent', table), 'silent')
    expect(ended.code).toBe(1)
    const said = plain(ended)
    const told = said.slice(said.indexOf('✘'))
    expect(told).toMatch(/9000|startup_timeout/)
    expect(told).toContain('line 11.')
    expect(told).toContain('line 60.')
  })
})

// Podman has no login of its own at such a registry: it trusts no certificate of ours.
describe.skipIf(isPodman)(
  'a registry that asks who is there (with Podman: its `login` does not trust our certificate)',
  () => {
    let host: string
    let key: string

    beforeAll(async () => {
      const made = await carrick.carrick('accounts', 'create', 'other', '--json')
      const { key_id: id, key_secret: secret } = JSON.parse(made.stdout) as { key_id: string; key_secret: string }
      key = `${id}:${secret}`
      host = new URL(carrick.url).host.replace('localhost', '127.0.0.1')
      const config = join(folder, 'docker-config')
      const name = `${host}/other/private:1`
      await ask('docker', ['tag', serverImage, name])
      await ask('docker', ['--config', config, 'login', '--username', 'robot', '--password', key, host])
      await ask('docker', ['--config', config, 'push', '--quiet', name])
      await ask('docker', ['image', 'rm', name])
    })

    const privately = (name: string, who: string, what: string) =>
      project(
        name,
        [
          'exposed_port = 9000',
          'machine_type = "XS"',
          `[tool.fal.apps.${name}.image]\nimage = "${host}/other/private:1"\ncmd = ["python3", "/server.py"]`,
          `[tool.fal.apps.${name}.image.registries."${host}"]\nusername = "${who}"\npassword = "${what}"\n`,
        ].join('\n'),
      )

    test('is told by the secrets of the environment, which stay unseen', async () => {
      await carrick.fal('secrets', 'set', 'ROBOT=robot', `ROBOT_PASSWORD=${key}`, '--not-exposed-by-default')
      const said = await deployed(await privately('ours', '$ROBOT', '$ROBOT_PASSWORD'), 'ours')
      expect(said).not.toContain(key)
      expect(await answer('ours/x')).toMatchObject({ path: '/x' })
      expect(await onDisk(key)).toEqual([])
    })

    test('refuses what is wrong: the registry is named, the password is not', async () => {
      const ended = await deployIn(await privately('theirs', 'robot', 'a-wrong-password'), 'theirs')
      expect(ended.code).toBe(1)
      expect(plain(ended)).toContain(host)
      expect(plain(ended)).not.toContain('a-wrong-password')
      expect(await onDisk('a-wrong-password')).toEqual([])
    })

    test('a secret that is not there is named', async () => {
      const ended = await deployIn(await privately('nobodys', '$ROBOT', '$NOBODYS'), 'nobodys')
      expect(ended.code).toBe(1)
      expect(plain(ended)).toContain('Secret "NOBODYS" not found')
    })
  },
)

interface ListedRunner {
  readonly id: string
}

async function runners(): Promise<readonly ListedRunner[]> {
  const { stdout } = await carrick.carrick('runners', 'list', '--json')
  return (JSON.parse(stdout) as { runners: { runner_id: string }[] }).runners.map(({ runner_id: id }) => ({ id }))
}

const lines = async (program: string, ...args: readonly string[]) =>
  (await ask(program, args)).split('\n').filter((line) => line !== '')
