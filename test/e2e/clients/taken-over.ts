// Runs a program in a network of its own, in which port 443 of loopback leads to a Unix socket outside, and the names
// of /etc/hosts are what its caller put there. Arguments: the socket, the program and what it takes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream/promises'

const [, , socket = '', program = '', ...args] = process.argv
const server = createServer((inner) => {
  const outer = connect(socket)
  void Promise.all([pipeline(inner, outer), pipeline(outer, inner)]).catch(() => {})
})
await once(server.listen(443, '127.0.0.1'), 'listening')
const [code] = (await once(spawn(program, args, { stdio: 'inherit' }), 'exit')) as [number | null]
process.exit(code ?? 1)
