import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openTestControl, type TestControl } from '../../testing/control.ts'

let control: TestControl
beforeEach(async () => {
  control = await openTestControl()
})
afterEach(() => control[Symbol.asyncDispose]())

const hashOf = (content: string, mode = '33188') => createHash('sha256').update(content).update(mode).digest('hex')
const md5 = (content: string) => createHash('md5').update(content).digest('hex')

function formOf(content: string, field = 'file_upload'): FormData {
  const form = new FormData()
  form.append(field, new Blob([content]), 'chunk')
  return form
}

const post = (path: string, body: object, key = control.keys.ann) =>
  control.rest(path, { method: 'POST', body: JSON.stringify(body), key })

/** As the stock client uploads a file. */
async function upload(content: string, { hash = hashOf(content), mode = '33188', key = control.keys.ann } = {}) {
  const at = `/files/app/multipart/${hash}`
  const begun = await post(`${at}/initiate`, { size: '1', mtime: '1.5', mode, hash }, key)
  const { upload_id: id } = begun.body as { upload_id: string }
  const part = await control.rest(`${at}/${id}/1`, { method: 'PUT', body: formOf(content), key })
  return post(`${at}/${id}/complete`, { parts: [part.body], metadata: { size: '1', mtime: '1.5', mode, hash } }, key)
}

const missing = async (hashes: readonly string[], key?: string) =>
  (await post('/files/missing_hashes', { hashes }, key)).body

describe('app files', () => {
  test('that were uploaded are not missing, for this account and no other', async () => {
    expect(await upload('hello')).toEqual({ status: 200, body: { etag: md5('hello') } })
    const hashes = [hashOf('hello'), hashOf('other')]
    expect(await missing(hashes)).toEqual([hashOf('other')])
    expect(await missing(hashes, control.keys.bob)).toEqual(hashes)
    expect(await missing([])).toEqual([])
  })

  test('are asked after in any number', async () => {
    const hashes = Array.from({ length: 1_234 }, (_, index) => hashOf(String(index)))
    await upload('7')
    expect(await missing(hashes)).toEqual(hashes.filter((hash) => hash !== hashOf('7')))
  })

  test('may be empty, and the same content with another mode is another file', async () => {
    expect(await upload('')).toMatchObject({ status: 200 })
    expect(await upload('', { hash: hashOf('', '33261'), mode: '33261' })).toMatchObject({ status: 200 })
    expect(await missing([hashOf(''), hashOf('', '33261')])).toEqual([])
  })

  test('that are not what their hash says are refused, and stay missing', async () => {
    const { status, body } = await upload('evil', { hash: hashOf('good') })
    expect(status).toBe(400)
    expect(body).toMatchObject({ detail: expect.stringContaining('not what its hash says') as string })
    expect(await missing([hashOf('good')])).toEqual([hashOf('good')])
  })

  test.each(['40755', '16877', '41471', 'x', '-1'])('with the mode %s are no files', async (mode) => {
    expect(await upload('x', { hash: hashOf('x', mode), mode })).toMatchObject({ status: 400 })
  })

  test('are named by a hash and nothing else', async () => {
    expect(await post('/files/app/multipart/..%2F..%2Fetc/initiate', {})).toMatchObject({ status: 400 })
    expect(await post('/files/missing_hashes', { hashes: ['../x'] })).toMatchObject({ status: 400 })
  })
})

describe('a form', () => {
  const put = (body: FormData | string) => control.rest('/files/file/local/x.txt', { method: 'POST', body })
  const stored = async () => (await control.files.list('account-ann', [])).map(({ name }) => name)

  test('with the file in its field is taken', async () => {
    expect(await put(formOf('content'))).toEqual({ status: 200, body: true })
    expect(await control.files.peek('account-ann', ['x.txt'], 100)).toBe('content')
  })

  test.each([
    ['another field', () => formOf('content', 'file')],
    ['no form', () => 'content'],
  ])('that is %s is refused with a sentence, and nothing is stored', async (_what, body) => {
    const answer = await put(body())
    expect(answer).toMatchObject({ status: 400, body: { detail: expect.stringContaining('file_upload') as string } })
    expect(await stored()).toEqual([])
  })

  test.each(['--b\r\nContent-Disposition: form-data; name="file_upload"; filename="x"\r\n\r\nhalf', '--b', ''])(
    'that breaks off is refused, and nothing is stored (%#)',
    async (half) => {
      const response = await control.restRaw('/files/file/local/x.txt', {
        method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
        body: half,
      })
      expect(response.status).toBe(400)
      expect(await stored()).toEqual([])
    },
  )
})

test('a HEAD of a file opens nothing that stays open', async () => {
  await control.rest('/files/file/local/x.txt', { method: 'POST', body: formOf('content') })
  const { status } = await control.rest('/files/file/x.txt', { method: 'HEAD' })
  expect(status).toBe(200)
})

test('where runners can have no folders of their own, a deploy that needs one is refused and says why', async () => {
  await using without = await openTestControl({ withoutMounts: 'this is a test' })
  const environments = [{ kind: 'virtualenv', configuration: { python_version: '3.11', requirements: [] } }]
  const callable = { case: 'function', value: { method: 'dill', definition: new Uint8Array([1]) } } as const
  for (const asked of [{ dataMounts: ['/data/x'] }, { files: [{ hash: hashOf('x'), relativePath: 'x' }] }]) {
    const deploying = (async () => {
      for await (const _ of without
        .client()
        .registerApplication({ applicationName: 'a', environments, callable, ...asked }));
    })()
    await expect(deploying).rejects.toThrow(/(data_mounts|app_files).*because this is a test/)
  }
})
