import { handleRequest, resolveProxyConfig } from '@fal-ai/server-proxy'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { chromium, type Browser, type Page } from 'playwright-core'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, root } from './carrick.ts'
import type { Way } from './clients/browser.ts'
import { visit } from './visit.ts'

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path))
const title = '@fal-ai/client 1.10.1 in a page'

/** The page's own server: it serves the page, and passes calls on with the key by @fal-ai/server-proxy 1.2.1. */
describe.skipIf(program === undefined)(
  program === undefined ? `${title}, if there were a Chromium here` : title,
  () => {
    let carrick: Carrick
    let site: Server
    let browser: Browser
    let page: Page
    const asked: string[] = []
    beforeAll(async () => {
      carrick = await Carrick.start()
      await carrick.deploy('echo.py::Echo', 'echo')
      site = await openSite(address(), carrick.variables['FAL_KEY'] ?? '')
      browser = await chromium.launch({
        executablePath: program ?? '',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      })
      page = await browser.newPage()
      page.on('request', (request) => void asked.push(`${request.method()} ${request.url()}`))
      await visit(page, origin())
    })
    afterAll(async () => {
      await browser?.close()
      site?.close()
      await carrick?.[Symbol.asyncDispose]()
    })

    const address = () => carrick.url.replace('https:', 'http:')
    const origin = () => `http://localhost:${(site.address() as AddressInfo).port}`
    /** By how many of these the page asked since the last time. */
    const askedSince = () => asked.splice(0)

    const everything = {
      ran: { text: 'run' },
      subscribed: { text: 'subscribe' },
      followed: { text: 'followed' },
      queued: { text: 'queued' },
      last: 'COMPLETED',
      ids: [expect.stringMatching(/^[0-9a-f-]{36}$/), expect.stringMatching(/^[0-9a-f-]{36}$/), true],
      lines: expect.arrayContaining(['echoing subscribe']),
      cancelled: { name: 'ApiError', message: 'Client Closed Request', status: 499, named: true },
      events: [{ number: 0 }, { number: 1 }, { number: 2 }],
      uploaded: 'from a page',
      refused: { name: 'ValidationError', message: 'Unprocessable Entity', status: 422, named: true },
      unknown: { name: 'ApiError', message: 'Not Found', status: 404, named: true },
    }

    const inThePage = (way: Way) => page.evaluate(`check(${JSON.stringify(way)})`)

    test('does everything through a server of the proxy, which alone has the key', async () => {
      expect(await inThePage({ carrick: address(), proxy: '/api/fal/proxy' })).toMatchObject(everything)
      const elsewhere = askedSince().filter((line) => !line.includes(origin()))
      expect(elsewhere.map((line) => line.replace(/\/files\/.*|\/upload\/.*/, ''))).not.toHaveLength(0)
      for (const line of elsewhere) expect(line).toMatch(/^(PUT|GET) .*\/storage\//) // the file itself, both ways
    })

    test.each(['by rewritten addresses', 'by proxyUrl alone'])('does everything across origins, %s', async (how) => {
      const key = carrick.variables['FAL_KEY'] ?? ''
      expect(await inThePage({ carrick: address(), key, itself: how === 'by proxyUrl alone' })).toMatchObject(
        everything,
      )
      expect(askedSince().filter((line) => line.includes(origin()))).toEqual([])
    })

    test('is told by the proxy where it may not go', async () => {
      const refused = await page.evaluate(`fetch('/api/fal/proxy', {
      method: 'POST', headers: { 'x-fal-target-url': 'http://169.254.169.254/latest' }, body: '{}',
    }).then(({ status }) => status)`)
      expect(refused).toBe(400)
    })
  },
)

async function openSite(carrick: string, key: string): Promise<Server> {
  const script = await bundled(join(root, 'test/e2e/clients/browser.ts'))
  const config = resolveProxyConfig({
    allowedUrlPatterns: [`${new URL(carrick).host}/**`],
    isAuthenticated: async () => true,
    resolveFalAuth: async () => `Key ${key}`,
  })
  const site = createServer((req, res) => {
    if (req.url === '/api/fal/proxy') void proxied(req, res, config)
    else if (req.url === '/script.js') res.setHeader('content-type', 'text/javascript').end(script)
    else
      res
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><title>A page</title><script src="/script.js"></script>')
  })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  return site
}

async function proxied(req: IncomingMessage, res: ServerResponse, config: ReturnType<typeof resolveProxyConfig>) {
  const body = await text(req)
  await handleRequest<void>(
    {
      id: 'node',
      method: req.method ?? 'GET',
      getHeaders: () => req.headers,
      getHeader: (name) => req.headers[name],
      sendHeader: (name, value) => void res.setHeader(name, value),
      getRequestBody: async () => body,
      respondWith: (status, data) => void res.writeHead(status).end(JSON.stringify(data)),
      sendResponse: async (answer) => {
        res.writeHead(answer.status, answer.statusText)
        if (answer.body === null) res.end()
        else await pipeline(Readable.fromWeb(answer.body as never), res)
      },
    },
    config,
  )
}

async function bundled(input: string): Promise<string> {
  await using build = await rolldown({ input, platform: 'browser', logLevel: 'silent' })
  const { output } = await build.generate({ format: 'iife', name: 'page' })
  return output[0].code
}
