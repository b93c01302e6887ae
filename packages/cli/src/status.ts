import { ServerStatus } from '@carrick/protocol/rest'
import { request } from 'node:https'
import { readFile } from 'node:fs/promises'
import { json } from 'node:stream/consumers'
import { connect, type Connection } from './connection.ts'
import { print } from './output.ts'

/** `carrick status`: one sentence, or the same as JSON. Fails when the server does not answer. */
export async function status(flags: { data?: string; json?: boolean }): Promise<void> {
  const connection = await connect(flags.data)
  const now = ServerStatus.parse(await ask(connection, '/v1/status'))
  const text =
    `Carrick ${now.version} is up at ${connection.url} (backend ${now.backend}): ${count(now.apps, 'app')}, ` +
    `${count(now.runners, 'runner')}, ${now.queued} waiting, ${now.running} running, ${gibibytes(now.disk_free_bytes)} GiB free`
  print({ text, json: { url: connection.url, ...now } }, flags)
}

const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? '' : 's'}`
const gibibytes = (bytes: number) => (bytes / 2 ** 30).toFixed(1)

async function ask(connection: Connection, path: string): Promise<unknown> {
  const headers = { authorization: `Key ${connection.key}` }
  const ca = await readFile(connection.caFile)
  const { statusCode, body } = await new Promise<{ statusCode: number; body: unknown }>((resolve, reject) => {
    const asked = request(`${connection.url}${path}`, { headers, ca, timeout: 10_000 }, (response) => {
      json(response).then((parsed) => resolve({ statusCode: response.statusCode ?? 0, body: parsed }), reject)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 seconds')))
    asked.on('error', (cause) => reject(notUp(connection, cause)))
    asked.end()
  })
  if (statusCode === 200) return body
  throw new Error(`the server at ${connection.url} answered ${statusCode}: ${JSON.stringify(body)}`)
}

function notUp(connection: Connection, cause: Error): Error {
  return new Error(
    `Carrick at ${connection.url} does not answer (${cause.message}): is \`npx carrick up\` still running?`,
    { cause },
  )
}
