// Callers that do nothing but submit, in a process of their own: load.ts PORT CALLERS REQUESTS PATH AUTHORIZATION.
// Each caller has one connection and sends its next request when the last one was answered. Prints the seconds it took.
import { connect } from 'node:net'

const [port = '', callers = '', requests = '', path = '', authorization = ''] = process.argv.slice(2)
const body = JSON.stringify({ prompt: 'x'.repeat(1000) })
const message = Buffer.from(
  [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: ${authorization}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n'),
)

let left = Number(requests)

function caller(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.setNoDelay(true)
    const next = () => (left > 0 ? (left--, socket.write(message)) : (socket.destroy(), resolve()))
    let seen = ''
    socket.on('connect', next)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1')
      const head = seen.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(seen)?.[1])
      if (head < 0 || Number.isNaN(length) || seen.length < head + 4 + length) return
      if (!seen.startsWith('HTTP/1.1 200')) return reject(new Error(seen))
      seen = ''
      next()
    })
  })
}

const started = performance.now()
await Promise.all(Array.from({ length: Number(callers) }, caller))
console.log((performance.now() - started) / 1000)
