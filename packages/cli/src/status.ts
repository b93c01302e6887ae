import { ServerStatus } from '@carrick/protocol/rest'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import type { Where } from './where.ts'

/** `carrick status`: one sentence, or the same as JSON. Fails when the server does not answer. */
export async function status(flags: Where & { json?: boolean }): Promise<void> {
  const connection = await connectTo(flags)
  const now = ServerStatus.parse(await ask(connection, '/v1/status'))
  const text =
    `Carrick ${now.version} is up at ${connection.url} (backend ${now.backend}): ${count(now.apps, 'app')}, ` +
    `${count(now.runners, 'runner')}, ${now.queued} waiting, ${now.running} running, ${gibibytes(now.disk_free_bytes)} GiB free`
  const paused = now.paused.length === 0 ? '' : `\nPaused: the queue of ${now.paused.join(', ')}`
  print({ text: text + paused, json: { url: connection.url, ...now } }, flags)
}

const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? '' : 's'}`
const gibibytes = (bytes: number) => (bytes / 2 ** 30).toFixed(1)
