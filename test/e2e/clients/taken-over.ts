// Runs a program in a network of its own, in which some ports of loopback lead to a Unix socket outside, and the names of
// /etc/hosts are what its caller put there. Arguments: the ports (`443,8700`), the socket, the program and what it takes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'

const [, , ports = '', socket = '', program = '', ...args] = process.argv
const lead = (inner: Socket) => {
  const outer = connect(socket)
  void Promise.all([pipeline(inner, outer), pipeline(outer, inner)]).catch(() => {})
}
for (const port of ports.split(',')) await once(createServer(lead).listen(Number(port), '127.0.0.1'), 'listening')
const [code] = (await once(spawn(program, args, { stdio: 'inherit' }), 'exit')) as [number | null]
process.exit(code ?? 1)
