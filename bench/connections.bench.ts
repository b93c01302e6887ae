import { once, setMaxListeners } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as rest } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { Carrick } from '../test/e2e/carrick.ts'
import type { Report } from './report.ts'

const streams = 8_000
const sockets = 4_000
/** Longer than any stream is silent, and long enough for what opening them left behind to be given up. */
const quietMs = 15_000
/** Opened side by side: as many as a busy day would bring at once, and fewer than a listen queue holds. */
const atOnce = 100

/**
 * Question: what do 8,000 open status streams and 4,000 open WebSockets cost in memory, and how busy is the server
 * while nothing happens on them? Expected: some 20 KB for a stream and twice that for a WebSocket, which is two
 * connections; and little work, because one timer serves all streams. All connections are plaintext, from this process.
 */
export async function connections(report: Report): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  await using carrick = await Carrick.start({ CARRICK_MAX_CONNECTIONS: '20000' })
  try {
    await writeFile(join(folder, 'app.py'), app)
    const { code, stdout, stderr } = await carrick.fal('deploy', join(folder, 'app.py'), '--app-name', 'open')
    if (code !== 0) throw new Error(stdout + stderr)
    const idleMiB = await residentMiB(carrick)
    report.add('resident memory before, after a deploy', idleMiB, undefined, ' MiB')

    const open = await many(sockets, () => openSocket(carrick))
    const withSocketsMiB = await residentMiB(carrick)
    // The WebSockets have taken every slot, so what is submitted waits.
    const followed = await many(streams, () => openStream(carrick))
    const busyBefore = await cpuSeconds(carrick)
    await rest(quietMs)
    const busy = ((await cpuSeconds(carrick)) - busyBefore) / (quietMs / 1_000)
    const allMiB = await residentMiB(carrick)
    report.add('the same with 4,000 WebSockets', withSocketsMiB, undefined, ' MiB')
    report.add('the same with 8,000 status streams besides', allMiB, { atMost: 600 }, ' MiB')
    report.add('share of one core while nothing happens', busy, { atMost: 0.5 })
    report.add('streams that were silent for 5 s', followed.filter(({ wasSilent }) => wasSilent()).length, {
      atMost: 0,
    })
    report.add('WebSockets that do not answer', sockets - (await answering(open)), { atMost: 0 })
    for (const socket of open) socket.terminate()
    for (const { socket } of followed) socket.destroy()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const app = `
import fal
from fastapi import WebSocket

class Open(fal.App):
    machine_type = "XS"
    keep_alive = 300
    max_concurrency = 4
    max_multiplexing = ${sockets / 4}
    request_timeout = 3600

    @fal.endpoint("/")
    def nothing(self) -> dict:
        return {}

    @fal.endpoint("/echo", is_websocket=True)
    async def echo(self, websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)
`

async function many<T>(count: number, open: () => Promise<T>): Promise<T[]> {
  const opened: T[] = []
  while (opened.length < count) {
    const next = Array.from({ length: Math.min(atOnce, count - opened.length) }, open)
    opened.push(...(await Promise.all(next)))
  }
  return opened
}

const authorization = (carrick: Carrick) => `Key ${carrick.variables['FAL_KEY'] ?? ''}`

async function openSocket(carrick: Carrick): Promise<WebSocket> {
  const { port } = new URL(carrick.url)
  const headers = { authorization: authorization(carrick) }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/tester/open/echo`, { headers, perMessageDeflate: false })
  await once(socket, 'open')
  return socket
}

interface Followed {
  readonly socket: Socket
  /** Whether more than five seconds lay between two things that it was told. */
  readonly wasSilent: () => boolean
}

async function openStream(carrick: Carrick): Promise<Followed> {
  const submitted = await carrick.ask('/queue/tester/open', { method: 'POST', body: '{}' })
  const { request_id: id } = (await submitted.json()) as { request_id: string }
  const socket = connect(Number(new URL(carrick.url).port), '127.0.0.1')
  const path = `/queue/tester/open/requests/${id}/status/stream`
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: ${authorization(carrick)}\r\n\r\n`)
  const [first] = (await once(socket, 'data')) as [Buffer]
  if (!first.toString().startsWith('HTTP/1.1 200')) throw new Error(first.toString())
  let heardAt = performance.now()
  let longestMs = 0
  const hear = () => {
    longestMs = Math.max(longestMs, performance.now() - heardAt)
    heardAt = performance.now()
  }
  socket.on('data', hear)
  return { socket, wasSilent: () => (hear(), longestMs > 5_000) }
}

async function answering(open: readonly WebSocket[]): Promise<number> {
  const signal = AbortSignal.timeout(60_000)
  setMaxListeners(0, signal)
  const answers = open.map((socket) => once(socket, 'message', { signal }))
  for (const socket of open) socket.send('hello')
  return (await Promise.allSettled(answers)).filter(({ status }) => status === 'fulfilled').length
}

async function residentMiB(carrick: Carrick): Promise<number> {
  const status = await readFile(`/proc/${carrick.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}

/** Time on the processor since the start, of all threads. The kernel counts in hundredths. */
async function cpuSeconds(carrick: Carrick): Promise<number> {
  const fields = (await readFile(`/proc/${carrick.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}
