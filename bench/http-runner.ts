// A runner that does nothing: http-runner.ts [PORT HOST]. It answers every call at once, `/small` with 1 KB, the rest with `{}`. A call that
// says in `x-sent` when it was submitted (nanoseconds of this machine's monotonic clock) is timed. Prints its port as one JSON line;
// answers a line on stdin with the milliseconds of those calls so far. Where it is told its place, nobody asks it anything.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'

const small = Buffer.alloc(1024, 'x')
const took: number[] = []

const server = createServer((req, res) => {
  const sent = req.headers['x-sent']
  if (typeof sent === 'string') took.push(Number(process.hrtime.bigint() - BigInt(sent)) / 1e6)
  const body = req.url === '/small' ? small : '{}'
  req.resume().on('end', () => res.writeHead(200, { 'content-length': body.length }).end(body))
})

const [place = '0', host = '127.0.0.1'] = process.argv.slice(2)
server.listen(Number(place), host, () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
if (place === '0') {
  for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify(took.splice(0)))
  process.exit(0)
}
