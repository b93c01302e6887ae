// Answers the three calls of a lifecycle and stores and runs nothing: null-server.ts. What is submitted is completed at once. Prints
// its port as one JSON line.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((req, res) => {
  const url = req.url ?? ''
  const id = /requests\/([^/]+)/.exec(url)?.[1] ?? randomUUID()
  const base = `http://127.0.0.1/queue/nobody/nothing/requests/${id}`
  const state = { request_id: id, status_url: `${base}/status`, response_url: base, cancel_url: `${base}/cancel` }
  req.resume().on('end', () => {
    if (url.includes('/status/stream')) {
      res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      res.end(`data: ${JSON.stringify({ status: 'COMPLETED', ...state, logs: null, metrics: {} })}\n\n`)
      return
    }
    const body = req.method === 'POST' ? JSON.stringify({ status: 'IN_QUEUE', ...state, queue_position: 0 }) : '{}'
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
  })
}).listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
