// Callers that do nothing but submit, in a process of their own: load.ts PORT CALLERS REQUESTS PATH AUTHORIZATION.
// Each caller has one connection and sends its next request when the last one was answered. Prints the seconds it took, and the median of each request's milliseconds, as JSON.
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
const took: number[] = []

function caller(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.setNoDelay(true)
    let sent = 0
    const next = () => {
      if (left <= 0) {
        socket.destroy()
        resolve()
        return
      }
      left -= 1
      sent = performance.now()
      socket.write(message)
    }
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
      took.push(performance.now() - sent)
      next()
    })
  })
}

const started = performance.now()
await Promise.all(Array.from({ length: Number(callers) }, caller))
const seconds = (performance.now() - started) / 1000
console.log(JSON.stringify({ seconds, p50: took.toSorted((a, b) => a - b)[Math.floor(took.length / 2)] }))
