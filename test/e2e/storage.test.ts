import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, clients, root, until } from './carrick.ts'
import { inTakenOverNetwork, mayTakeOver, vendorNames } from './taken-over.ts'

const run = promisify(execFile)

let carrick: Carrick
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-uploads-'))
  carrick = await Carrick.start({ CARRICK_NAME: ['localhost', ...vendorNames].join(',') })
  await carrick.deploy('files.py::Files', 'files')
})
afterAll(async () => {
  await carrick[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function called<T>(path: string, body: object): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  const response = await carrick.ask(path, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return (await response.json()) as T
}

/** Over plain HTTP, as it is everywhere. */
async function textAt(url: string): Promise<string> {
  const response = await fetch(url.replace('https:', 'http:'))
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  return response.text()
}

describe('a pickled app with the stock toolkit', () => {
  interface Made {
    readonly file: { url: string; content_type: string; file_name: string; file_size: number }
    readonly image: { url: string; content_type: string }
    readonly page: { url: string }
    readonly reserved: string
    readonly client: string
  }

  test('returns files that its caller reads, over https and http', async () => {
    const made = await called<Made>('/tester/files', { text: 'from the runner' })
    expect(made.file).toMatchObject({ content_type: 'text/plain', file_name: 'made.txt', file_size: 15 })
    expect(await textAt(made.file.url)).toBe('from the runner')
    const read = await carrick.python<string>(
      'import json, sys, urllib.request; print(json.dumps(urllib.request.urlopen(sys.argv[1]).read().decode()))',
      made.file.url,
    )
    expect(read).toBe('from the runner')
    // The address is the one that people know, though the runner uploaded through a port of its own.
    for (const url of [made.file.url, made.image.url, made.page.url, made.reserved, made.client]) {
      expect(url).toMatch(new RegExp(`^${carrick.url}/storage/files/`))
    }
    expect(await textAt(made.reserved)).toBe('')
    expect(await textAt(made.client)).toBe('by the client')
    const image = await fetch(made.image.url.replace('https:', 'http:'))
    expect([image.headers.get('content-type'), made.image.content_type]).toEqual(['image/png', 'image/png'])
    const page = await fetch(made.page.url.replace('https:', 'http:'))
    expect(page.headers.get('content-security-policy')).toContain('sandbox')
    expect(page.headers.get('content-disposition')).toMatch(/^attachment/)
  })

  test('keeps what its caller wants gone for as long as that', async () => {
    const headers = {
      'content-type': 'application/json',
      'x-fal-object-lifecycle-preference': '{"expiration_duration_seconds": 3600}',
    }
    const asked = { method: 'POST', headers, body: '{"text": "short"}' }
    const { file } = (await (await carrick.ask('/tester/files', asked)).json()) as Made
    const kept = (await fetch(file.url.replace('https:', 'http:'))).headers.get('cache-control')
    expect(Number(kept?.replace(/\D+/, ''))).toBeLessThanOrEqual(3_600)
  })

  test('keeps values', async () => {
    expect(await called('/tester/files/values', { text: 'grüße' })).toEqual({
      before: null,
      during: 'grüße',
      after: null,
      refusal: expect.stringContaining('Status 400: ttl'),
    })
  })
})

test('the official JavaScript client uploads, small and in parts, and what is in an input', async () => {
  const { stdout } = await run(process.execPath, [join(root, 'test/e2e/clients/uploads.ts')], {
    env: { ...process.env, ...carrick.variables },
  })
  const told = JSON.parse(stdout) as { small: string; short: string; hidden: string; large: string; automatic: object }
  expect(await textAt(told.small)).toBe('hello')
  expect(decodeURIComponent(told.short)).toMatch(/\/grüße\.txt$/)
  expect(await textAt(told.short)).toBe('short')
  expect(told.automatic).toEqual({ length: 2, type: 'application/json' })
  const { pathname } = new URL(told.hidden)
  const status = async (key: string | null | undefined) => (await carrick.ask(pathname, { key })).status
  expect([await status(null), await status(undefined)]).toEqual([404, 200])
  const tail = await fetch(told.large.replace('https:', 'http:'), { headers: { range: 'bytes=95420414-' } })
  expect([tail.status, tail.headers.get('content-range')]).toEqual([206, 'bytes 95420414-95420415/95420416'])
  expect([...new Uint8Array(await tail.arrayBuffer())]).toEqual([7, 7])
})

test('a hidden file is open at a signed address, to everybody, and only for its time', async () => {
  const lifecycle = { 'x-fal-object-lifecycle': '{"initial_acl": {"default": "hide"}}' }
  const started = await carrick.ask('/storage/upload/initiate', { method: 'POST', body: '{}', headers: lifecycle })
  const { file_url: fileUrl, upload_url: uploadUrl } = (await started.json()) as Record<
    'file_url' | 'upload_url',
    string
  >
  await fetch(uploadUrl, { method: 'PUT', body: '0123456789' })
  const signed = async (seconds: number) => {
    const body = JSON.stringify({ expiration_seconds: seconds })
    const path = `/v1/storage/files/sign?url=${encodeURIComponent(fileUrl)}`
    const answer = (await (await carrick.ask(path, { method: 'POST', body })).json()) as { signed_url: string }
    return answer.signed_url.replace('https:', 'http:')
  }
  expect((await fetch(fileUrl.replace('https:', 'http:'))).status).toBe(404)
  const part = await fetch(await signed(600), { headers: { range: 'bytes=3-5', origin: 'https://page.example' } })
  expect([part.status, await part.text(), part.headers.get('access-control-allow-origin')]).toEqual([206, '345', '*'])
  const short = await signed(1)
  await until(async () => (await fetch(short)).status === 403, 'the signed address to end')
})

test('every repository of the toolkit that has a server uploads here, at once and in parts', async () => {
  const urls = await carrick.python<string[]>(`
import json, os
os.environ["FAL_CDN_V3_HOST"] = os.environ["CARRICK_URL"]
from fal.toolkit.file.providers.fal import FalFileRepository, FalFileRepositoryV3, InternalFalFileRepositoryV3
from fal.toolkit.file.types import FileData
urls = []
for repository in [FalFileRepositoryV3(), FalFileRepository(), InternalFalFileRepositoryV3()]:
    for multipart in [False, True]:
        data = FileData(bytes(range(256)), "application/x-test", "bytes.bin")
        urls.append(repository.save(data, multipart=multipart, multipart_chunk_size=100))
print(json.dumps(urls))
`)
  expect(urls).toHaveLength(6)
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at)
  for (const url of urls) {
    const response = await fetch(url.replace('https:', 'http:'))
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes)
  }
})

test('a refused upload tells the author of the app why', async () => {
  const told = await carrick.python<string>(`
import json
from fal.toolkit import File
try:
    File.from_bytes(b"x", request=None, fallback_repository=None, save_kwargs={"object_lifecycle_preference": {"initial_acl": {"default": "maybe"}}})
except Exception as error:
    print(json.dumps(str(error)))
`)
  expect(told).toMatch(/Status 400.*initial_acl/)
})

describe('over the wire', () => {
  const initiated = async () => {
    const response = await carrick.ask('/storage/upload/initiate', { method: 'POST', body: '{"file_name": "a.txt"}' })
    return (await response.json()) as { file_url: string; upload_url: string }
  }
  const draftsLeft = async () => (await readdir(join(carrick.folder, 'objects/incoming'))).length

  test('an upload that breaks off leaves nothing, and may be sent again', async () => {
    const { file_url: fileUrl, upload_url: uploadUrl } = await initiated()
    const { port, pathname } = new URL(uploadUrl)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(`PUT ${pathname} HTTP/1.1\r\nhost: localhost:${port}\r\ncontent-length: 1000\r\n\r\nonly these`)
    await until(async () => (await draftsLeft()) === 1, 'the upload to begin')
    socket.destroy()
    await until(async () => (await draftsLeft()) === 0, 'what is left of the upload to go')
    expect((await fetch(fileUrl)).status).toBe(404)
    expect((await fetch(uploadUrl, { method: 'PUT', body: 'whole' })).status).toBe(200)
    expect(await textAt(fileUrl)).toBe('whole')
    const { status, headers } = await fetch(fileUrl, { method: 'HEAD' })
    expect([status, headers.get('content-length')]).toEqual([200, '5'])
  })

  test('what comes in by the port of the runners goes on by it, and is read at the address of people', async () => {
    const { ingress } = JSON.parse(await readFile(join(carrick.folder, 'server.json'), 'utf8')) as { ingress: string }
    const headers = { authorization: `Key ${carrick.variables['FAL_KEY']}` }
    const asked = { method: 'POST', headers, body: '{}' }
    const started = await carrick.askAsRunner(`http://${ingress}/storage/upload/initiate`, asked)
    const told = (await started.json()) as { file_url: string; upload_url: string }
    expect(told.upload_url).toMatch(new RegExp(`^http://${ingress}/storage/uploads/`))
    expect(told.file_url).toMatch(new RegExp(`^${carrick.url}/storage/files/`))
    await carrick.askAsRunner(told.upload_url, { method: 'PUT', body: 'from a runner' })
    expect(await textAt(told.file_url)).toBe('from a runner')
  })

  test('one that is too large is refused at once, and the server outlives its sender', async () => {
    const { upload_url: uploadUrl } = await initiated()
    const { port, pathname } = new URL(uploadUrl)
    const socket = connect(Number(port), '127.0.0.1')
    const length = 17 * 1024 * 1024 * 1024
    socket.write(`PUT ${pathname} HTTP/1.1\r\nhost: localhost:${port}\r\ncontent-length: ${length}\r\n\r\nonly these`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 [^]*CARRICK_UPLOAD_LIMIT/)
    socket.destroy()
    const unread = connect(Number(port), '127.0.0.1')
    unread.write(`PUT ${pathname}x HTTP/1.1\r\nhost: localhost:${port}\r\ncontent-length: 1000\r\n\r\nonly these`)
    await once(unread, 'data')
    unread.destroy()
    expect((await fetch(uploadUrl, { method: 'PUT', body: 'small' })).status).toBe(200)
  })

  test('a browser may ask through a proxied client, whatever the path of the proxy', async () => {
    const headers = {
      origin: 'https://app.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-fal-target-url',
    }
    for (const path of ['/', '/api/proxy', '/users/current']) {
      const response = await carrick.ask(path, { method: 'OPTIONS', key: null, headers })
      expect([path, response.status, response.headers.get('access-control-allow-origin')]).toEqual([path, 204, '*'])
    }
  })

  test('what is stored outlives the server, and what nothing names does not', async () => {
    const { file_url: fileUrl, upload_url: uploadUrl } = await initiated()
    await fetch(uploadUrl, { method: 'PUT', body: 'kept' })
    const stray = join(carrick.folder, 'objects/ab', 'ab'.repeat(20))
    await writeFile(stray, 'named by nothing')
    await carrick.down('SIGKILL')
    await carrick.up()
    expect(await textAt(fileUrl)).toBe('kept')
    await expect(stat(stray)).rejects.toThrow('ENOENT')
    expect((await fetch(uploadUrl, { method: 'PUT', body: 'kept' })).status).toBe(200)
  })
})

test('`fal deploy` sends a local project along, and the environment holds it', async () => {
  const project = join(folder, 'greeter')
  await mkdir(join(project, 'src/greeter'), { recursive: true })
  await writeFile(
    join(project, 'pyproject.toml'),
    '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "greeter"\nversion = "0.1"\n',
  )
  await writeFile(join(project, 'src/greeter/__init__.py'), 'def greet():\n    return "hello from a local project"\n')
  await cp(join(root, 'test/e2e/apps/greeting.py'), join(project, 'greeting.py'))
  const { code, stdout, stderr } = await carrick.fal(
    'deploy',
    `${join(project, 'greeting.py')}::Greeting`,
    '--app-name',
    'greeting',
  )
  expect(code, stdout + stderr).toBe(0)
  expect(await called('/tester/greeting', {})).toEqual({ said: 'hello from a local project' })
})

describe.skipIf(!mayTakeOver)(
  'fal_client.upload, where the names in its code lead here (needs `unshare -n -m`)',
  () => {
    test('uploads bytes, files, images, and more than 100 MB in parts', async () => {
      const python = join(await clients(), 'bin/python')
      const program = `
import json, tempfile, urllib.request
import fal_client
from PIL import Image
from pathlib import Path
file = Path(tempfile.mkdtemp()) / "note.txt"
file.write_text("a file")
urls = [
    fal_client.upload(b"some bytes", "text/plain"),
    fal_client.upload_file(file),
    fal_client.upload(b"stored", "text/plain", "old.txt", repository="fal"),
    fal_client.upload_image(Image.new("RGB", (2, 2)), format="png"),
]
read = [urllib.request.urlopen(url).read().decode("latin-1")[:10] for url in urls]
size = 100 * 1024 * 1024 + 1
large = urllib.request.urlopen(fal_client.upload(bytes(size), "application/octet-stream", "large.bin"))
print(json.dumps({"urls": urls, "read": read, "large": [int(large.headers["content-length"]) - size, large.headers["etag"]]}))
`
      const told = await inTakenOverNetwork<{ urls: string[]; read: string[]; large: [number, string] }>(carrick, [
        python,
        '-c',
        program,
      ])
      expect(told.read).toEqual(['some bytes', 'a file', 'stored', expect.stringContaining('PNG')])
      for (const url of told.urls) expect(url).toMatch(/^https:\/\/(v3\.fal\.media|rest\.fal\.ai)\/storage\/files\//)
      expect(told.large).toEqual([0, expect.stringMatching(/^"[0-9a-f]{32}-11"$/)])
    })
  },
)
