import { Refusal } from '@carrick/protocol/rest'
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { json } from 'node:stream/consumers'
import type { Connection } from './connection.ts'

/** What the server answers on an address. With a body it is a POST. Throws its own sentence when it refuses. */
export async function ask(connection: Connection, path: string, body?: object): Promise<unknown> {
  const headers = { authorization: `Key ${connection.key}`, 'content-type': 'application/json' }
  const ca = await readFile(connection.caFile)
  const answer = await new Promise<{ status: number; said: unknown }>((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST'
    const asked = request(`${connection.url}${path}`, { method, headers, ca, timeout: 10_000 }, (response) => {
      json(response).then((said) => resolve({ status: response.statusCode ?? 0, said }), reject)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 seconds')))
    asked.on('error', (cause) => reject(notUp(connection, cause)))
    asked.end(body && JSON.stringify(body))
  })
  if (answer.status === 200) return answer.said
  throw new Error(`the server at ${connection.url} answered ${answer.status}: ${sentenceIn(answer.said)}`)
}

function sentenceIn(said: unknown): string {
  const refusal = Refusal.safeParse(said)
  return refusal.success ? refusal.data.detail : JSON.stringify(said)
}

function notUp(connection: Connection, cause: Error): Error {
  return new Error(
    `Carrick at ${connection.url} does not answer (${cause.message}): is \`npx carrick up\` still running?`,
    { cause },
  )
}
