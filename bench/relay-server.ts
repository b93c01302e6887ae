// What a life must have, and nothing else: relay-server.ts RUNNER_PORT. It answers the three calls as null-server.ts does, and runs what
// was submitted on the runner over undici, as soon as it comes. It stores nothing, decides nothing and checks no key: no queue made of
// node:http and undici can do more in one process. Prints its port as one JSON line.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'

class Life {
  readonly id = randomUUID()
  result: string | undefined
  /** Whoever follows it. */
  over: () => void = () => {}
}

const runner = new Pool(`http://127.0.0.1:${process.argv[2] ?? ''}`, { pipelining: 1 })
const lives = new Map<string, Life>()

function submit(req: IncomingMessage, res: ServerResponse): void {
  const parts: Buffer[] = []
  req.on('data', (part: Buffer) => void parts.push(part))
  req.on('end', () => {
    const life = new Life()
    lives.set(life.id, life)
    json(res, JSON.stringify({ status: 'IN_QUEUE', ...addresses(life.id), queue_position: 0 }))
    run(life, parts.length === 1 ? parts[0] : Buffer.concat(parts))
  })
}

function run(life: Life, body: Buffer | undefined): void {
  const headers = { 'content-type': 'application/json' }
  let result = ''
  const call = { method: 'POST', path: '/', headers, body: body ?? null } as const
  runner.dispatch(call, {
    onRequestStart() {},
    onResponseStart() {},
    onResponseData: (_, part) => void (result += part.toString()),
    onResponseEnd() {
      life.result = result
      life.over()
    },
    onResponseError(_, error) {
      throw error
    },
  })
}

function follow(life: Life, res: ServerResponse): void {
  const tell = (status: string) =>
    `data: ${JSON.stringify({ status, ...addresses(life.id), logs: null, metrics: {} })}\n\n`
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  life.over = () => void res.end(tell('COMPLETED'))
  if (life.result === undefined) res.write(tell('IN_PROGRESS'))
  else life.over()
}

function fetchResult(life: Life, res: ServerResponse): void {
  lives.delete(life.id)
  json(res, life.result ?? '')
}

function addresses(id: string): object {
  const base = `http://127.0.0.1/queue/nobody/nothing/requests/${id}`
  return { request_id: id, status_url: `${base}/status`, response_url: base, cancel_url: `${base}/cancel` }
}

function json(res: ServerResponse, body: string): void {
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}

const server = createServer((req, res) => {
  const [, id = '', rest = ''] = /requests\/([^/]+)(.*)/.exec(req.url ?? '') ?? []
  const life = lives.get(id)
  if (life === undefined) return submit(req, res)
  req.resume()
  if (rest === '') fetchResult(life, res)
  else follow(life, res)
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
