import { Agent, request } from 'node:http'
import { Carrick, until } from '../test/e2e/carrick.ts'
import type { Report } from './report.ts'

const submits = 10_000

/**
 * Question: what becomes of 10,000 submits at once to an app that sleeps? Expected: every one is accepted and completed with 200. Each has
 * a connection of its own, all opened at the same time.
 */
export async function burst(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  await carrick.deploy('echo.py::Echo', 'echo', '--strategy', 'recreate')
  await until(async () => (await carrick.status()).runners === 0, 'no runners')
  const authorization = `Key ${carrick.variables['FAL_KEY']}`
  const { hostname, port } = new URL(carrick.url)
  const agent = new Agent({ keepAlive: false })
  const call = (method: string, path: string, body = '') =>
    new Promise<{ status: number; body: string }>((resolve) => {
      const headers = { authorization, 'content-type': 'application/json', 'content-length': body.length }
      const asked = request({ host: hostname, port, method, path, agent, headers }, (res) => {
        let text = ''
        res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        res.on('end', () => resolve({ status: res.statusCode ?? 0, body: text }))
      })
      asked.on('error', (error) => resolve({ status: 0, body: error.message })).end(body)
    })

  const started = performance.now()
  const body = JSON.stringify({ text: 'hello' })
  const answers = await Promise.all(Array.from({ length: submits }, () => call('POST', '/queue/tester/echo', body)))
  const accepted = answers.filter(({ status }) => status === 200)
  report.add('10,000 submits at once to a sleeping app: not accepted', submits - accepted.length, { atMost: 0 })
  report.add('the same, until the last was accepted', (performance.now() - started) / 1000, undefined, ' s')
  const paths = accepted.map(
    ({ body: text }) => `/queue/tester/echo/requests/${(JSON.parse(text) as { request_id: string }).request_id}`,
  )
  await until(async () => {
    const { queued, running } = await carrick.status()
    return queued + running === 0
  }, 'the end of all')
  report.add('the same, until the last was completed', (performance.now() - started) / 1000, undefined, ' s')
  let failed = 0
  for (const path of paths) if ((await call('GET', path)).status !== 200) failed += 1
  report.add('the same, completed with anything but 200', failed, { atMost: 0 })
}
