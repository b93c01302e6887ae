import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAddress } from '../../packages/server/src/blobs/s3/options.ts'
import { startS3, withoutS3, type TestS3 } from '../../packages/server/src/testing/s3.ts'
import { Carrick, root, until } from './carrick.ts'

const run = promisify(execFile)

describe.skipIf(withoutS3 !== undefined)(`a server whose bytes are in a bucket (${withoutS3 ?? 'versitygw'})`, () => {
  let s3: TestS3
  let carrick: Carrick
  /** The bucket's prefix, as a folder. */
  let bucket = ''
  let settings: Record<string, string> = {}
  beforeAll(async () => {
    s3 = await startS3()
    const { address, endpoint, accessKeyId, secretAccessKey } = await s3.newBucket()
    const place = parseAddress(address)
    bucket = join(s3.folder, place.bucket, place.prefix)
    settings = {
      CARRICK_BLOBS: address,
      CARRICK_S3_ENDPOINT: endpoint,
      CARRICK_S3_ACCESS_KEY_ID: accessKeyId,
      CARRICK_S3_SECRET_ACCESS_KEY: secretAccessKey,
      CARRICK_SHUTDOWN_MS: '2000',
    }
    carrick = await Carrick.start(settings)
    await carrick.deploy('files.py::Files', 'files')
  })
  afterAll(async () => {
    await carrick?.[Symbol.asyncDispose]()
    await s3?.[Symbol.asyncDispose]()
  })

  const filesIn = async (folder: string) =>
    (await readdir(folder, { recursive: true })).filter((name) => /\w{40}$/.test(name))
  const plain = (url: string) => url.replace('https:', 'http:')
  const post = (body: object) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  async function answer<T = Record<string, string>>(asked: Promise<Response>): Promise<T> {
    const response = await asked
    const text = await response.text()
    if (!response.ok) throw new Error(`${response.status} ${text}`)
    return JSON.parse(text) as T
  }

  type Submitted = Readonly<Record<string, string>>
  const statusOf = async ({ status_url: url = '' }: Submitted) =>
    (await answer(carrick.ask(new URL(url).pathname)))['status']
  async function completed(submitted: Submitted): Promise<void> {
    await until(async () => (await statusOf(submitted)) === 'COMPLETED', 'the result to be stored')
    const result = await answer(carrick.ask(new URL(submitted['response_url'] ?? '').pathname))
    expect(result['text']).toHaveLength(100_000)
  }

  test('keeps the pickles of apps, and large requests and results of the official Python client there', async () => {
    const before = await filesIn(join(bucket, 'blobs'))
    expect(before).toHaveLength(1)
    const length = await carrick.python<number>(`
import json, fal_client
handle = fal_client.submit("tester/files", {"text": "x", "more": "y" * 50_000}, path="/repeat")
print(json.dumps(len(handle.get()["text"])))
`)
    expect(length).toBe(100_000)
    expect(await filesIn(join(bucket, 'blobs'))).toHaveLength(3)
    expect(await filesIn(join(carrick.folder, 'blobs'))).toEqual([])
  })

  test('takes and gives the files of the official JavaScript client and of apps', async () => {
    const { stdout } = await run(process.execPath, [join(root, 'test/e2e/clients/uploads.ts')], {
      env: { ...process.env, ...carrick.variables },
    })
    const told = JSON.parse(stdout) as { small: string; large: string; automatic: object }
    expect(await (await fetch(plain(told.small))).text()).toBe('hello')
    expect(told.automatic).toEqual({ length: 2, type: 'application/json' })
    const headers = { range: 'bytes=10485758-10485762' } // over the end of a part
    const tail = await fetch(plain(told.large), { headers })
    expect([tail.status, tail.headers.get('content-range')]).toEqual([206, 'bytes 10485758-10485762/95420416'])
    expect([...new Uint8Array(await tail.arrayBuffer())]).toEqual([7, 7, 7, 7, 7])
    const made = await answer<{ file: { url: string } }>(carrick.ask('/tester/files', post({ text: 'by an app' })))
    expect(await (await fetch(plain(made.file.url))).text()).toBe('by an app')
    expect(await filesIn(join(carrick.folder, 'objects')).catch(() => [])).toEqual([])
  })

  test('goes on with uploads after it was killed, and deletes what nothing names', async () => {
    const started = await answer(carrick.ask('/storage/upload/initiate-multipart', post({ file_name: 'long.txt' })))
    const { file_url: fileUrl = '', upload_url: uploadUrl = '' } = started
    await fetch(`${uploadUrl}/1`, { method: 'PUT', body: 'before the end ' })
    const at = '/files/file/multipart/long.bin'
    const { upload_id: upload } = await answer(carrick.ask(`${at}/initiate`, post({})))
    const partOfFile = (number: number, content: string) => {
      const body = new FormData()
      body.set('file_upload', new Blob([content]), 'part')
      return answer<{ part_number: number; etag: string }>(
        carrick.ask(`${at}/${upload}/${number}`, { method: 'PUT', body }),
      )
    }
    const first = await partOfFile(1, 'one ')
    const stray = 'ab'.repeat(20)
    await mkdir(join(bucket, 'objects/ab'), { recursive: true })
    await writeFile(join(bucket, 'objects/ab', stray), 'named by nothing')
    await carrick.down('SIGKILL')
    await carrick.up()
    expect(existsSync(join(bucket, 'objects/ab', stray))).toBe(false)
    const { parts } = await answer<{ parts: object[] }>(fetch(uploadUrl))
    expect(parts).toMatchObject([{ partNumber: 1, size: 15 }])
    const second = await answer<object>(fetch(`${uploadUrl}/2`, { method: 'PUT', body: 'and after it' }))
    await answer(fetch(`${uploadUrl}/complete`, post({ parts: [...parts, second] })))
    expect(await (await fetch(plain(fileUrl))).text()).toBe('before the end and after it')
    const filed = [first, await partOfFile(2, 'two')]
    await answer(carrick.ask(`${at}/${upload}/complete`, post({ parts: filed })))
    expect(await (await carrick.ask('/files/file/long.bin')).text()).toBe('one two')
  })

  test('says so while the bucket cannot be reached, and loses no result', async () => {
    const started = await answer(carrick.ask('/storage/upload/initiate', post({ file_name: 'a.txt' })))
    const { file_url: fileUrl = '', upload_url: uploadUrl = '' } = started
    await fetch(uploadUrl, { method: 'PUT', body: 'there' })
    await answer(carrick.ask('/tester/files/repeat', post({ text: 'x' }))) // now there is a runner
    await s3.stop()
    const submitted = await answer(carrick.ask('/queue/tester/files/repeat', post({ text: 'x' })))
    const refused = await Promise.all([
      carrick.ask('/queue/tester/files/repeat', post({ text: 'x'.repeat(50_000) })),
      fetch(plain(fileUrl)),
      fetch(plain(fileUrl), { headers: { range: 'bytes=0-1' } }),
    ])
    for (const response of refused) {
      expect([response.status, await response.json()]).toMatchObject([503, { error_type: 'storage_unavailable' }])
    }
    expect(await statusOf(submitted)).toBe('IN_PROGRESS')
    await s3.start()
    await completed(submitted)
    expect(await (await fetch(plain(fileUrl))).text()).toBe('there')
  })

  test('runs a request again whose result it could not store before it went down', async () => {
    await s3.stop()
    const submitted = await answer(carrick.ask('/queue/tester/files/repeat', post({ text: 'x' })))
    await until(async () => (await statusOf(submitted)) === 'IN_PROGRESS', 'the request to run')
    await carrick.down()
    await s3.start()
    await carrick.up()
    await completed(submitted)
  })

  test('does not start where it cannot store, and says why', async () => {
    const other = await mkdtemp(join(tmpdir(), 'carrick-e2e-'))
    try {
      const wrong = { CARRICK_DATA: other, CARRICK_S3_SECRET_ACCESS_KEY: 'wrong' }
      const refusal = await carrick.carrickWith(wrong, 'up', '--port', '0')
      expect([refusal.code, refusal.stderr]).toEqual([1, expect.stringMatching(/s3:\/\/bucket-1.*secret key is wrong/)])
    } finally {
      await rm(other, { recursive: true, force: true })
    }
  })
})
