import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { createFetch } from './fetch-from.ts'

const loopback = '127.0.0.1/32'

/** Fetches with a resolver that knows what the test says, and notes what it was asked. */
function fetcher(known: Record<string, readonly string[]> = {}, allow: readonly string[] = [loopback]) {
  const asked: string[] = []
  const fetch = createFetch({
    allow,
    timeoutMs: 20_000,
    resolve: async (host) => {
      asked.push(host)
      const addresses = known[host]
      if (addresses === undefined) throw new Error(`getaddrinfo ENOTFOUND ${host}`)
      return addresses
    },
  })
  const get = (url: string, limit = 1_000) =>
    fetch(url, { limit, signal: new AbortController().signal }, async (content) => String(await buffer(content)))
  return { get, asked }
}

async function site(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return String((server.address() as AddressInfo).port)
}

test('a name is resolved once, and the connection goes to the address that was checked', async () => {
  const port = await site((req, res) => res.end(`for ${req.headers.host}`))
  const { get, asked } = fetcher({ 'files.example': ['127.0.0.1'] })
  expect(await get(`http://files.example:${port}/x`)).toBe(`for files.example:${port}`)
  expect(asked).toEqual(['files.example'])
})

test.each([
  'http://127.0.0.2/',
  'http://10.0.0.1/',
  'http://169.254.169.254/latest/meta-data',
  'http://2130706434/', // 127.0.0.2 as a number
  'http://0x7f.2/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.2]/',
  'http://[fd00::1]/',
  'http://private.example/',
  'http://mixed.example/', // one address of it is public
])('%s is refused before anything is sent there', async (url) => {
  const { get } = fetcher({ 'private.example': ['192.168.0.1'], 'mixed.example': ['93.184.216.34', '10.0.0.1'] })
  await expect(get(url)).rejects.toMatchObject({
    code: 'bad_request',
    message: expect.stringContaining('not public') as string,
  })
})

test.each(['file:///etc/passwd', 'ftp://example.com/x', 'http://ann:secret@example.com/', 'nonsense', 'gopher://x'])(
  '%s is no address to fetch',
  async (url) => {
    await expect(fetcher().get(url)).rejects.toMatchObject({ code: 'bad_request' })
  },
)

test('a redirect is followed to what is allowed, and checked like a first address', async () => {
  const port = await site((req, res) => {
    if (req.url === '/end') res.end('there')
    else res.writeHead(302, { location: req.url === '/in' ? 'http://inner.example/' : '/end' }).end('moved')
  })
  const { get } = fetcher({ 'inner.example': ['10.0.0.1'] })
  expect(await get(`http://127.0.0.1:${port}/`)).toBe('there')
  await expect(get(`http://127.0.0.1:${port}/in`)).rejects.toMatchObject({ code: 'bad_request' })
})

test('redirects end', async () => {
  const port = await site((_req, res) => res.writeHead(302, { location: '/' }).end())
  await expect(fetcher().get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({ code: 'fetch_failed' })
})

test.each([
  ['is missing', 404, 'answered with status 404'],
  ['breaks off', 200, 'could not be fetched'],
])('what %s is said', async (_what, status, why) => {
  const port = await site((_req, res) => {
    res.writeHead(status, { 'content-length': '100' })
    res.write('half')
    setImmediate(() => res.destroy())
  })
  await expect(fetcher().get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
    code: 'fetch_failed',
    message: expect.stringContaining(why) as string,
  })
})

test('what says that it is too large is not begun', async () => {
  const port = await site((_req, res) => res.writeHead(200, { 'content-length': '2000' }).end('x'.repeat(2_000)))
  await expect(fetcher().get(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({ code: 'body_too_large' })
})

test('a host that nobody knows is said', async () => {
  await expect(fetcher().get('http://nowhere.example/')).rejects.toMatchObject({ code: 'fetch_failed' })
})
