import { rootsInForce } from '@carrick/server/bundle'
import { PlatformRefusal } from '@carrick/protocol/platform'
import { Refusal } from '@carrick/protocol/rest'
import { request } from 'node:https'
import { json } from 'node:stream/consumers'
import { z } from 'zod'
import type { Connection } from './connection.ts'

/** What it takes to ask a server. */
export type Asked = Pick<Connection, 'url' | 'key' | 'ca'>

/** How something is sent that changes something. Only a DELETE has no body. */
type Method = 'POST' | 'PATCH' | 'DELETE'

const noContent = 204

/** What the server answers on an address. With a body it is a POST, or what `method` says. Throws its own sentence when it refuses. */
export async function ask(
  connection: Asked,
  path: string,
  body?: object,
  method: Method = 'POST',
  patienceMs?: number,
): Promise<unknown> {
  const answer = await answerOf(connection, path, body, method, patienceMs)
  if (answer.status === 200) return answer.said
  throw new Error(`the server at ${connection.url} answered ${answer.status}: ${sentenceIn(answer.said)}`)
}

/** The answer, whatever its status is. Throws a sentence when there is none. */
export async function answerOf(
  { url, key, ca }: Asked,
  path: string,
  body?: object,
  sending: Method = 'POST',
  patienceMs = 10_000,
) {
  const headers = { authorization: `Key ${key}`, 'content-type': 'application/json' }
  const roots = [...(await rootsInForce(process.env['SSL_CERT_FILE'])), ...(ca === undefined ? [] : [ca])]
  return new Promise<{ status: number; said: unknown }>((resolve, reject) => {
    const method = body === undefined && sending !== 'DELETE' ? 'GET' : sending
    const asked = request(`${url}${path}`, { method, headers, ca: roots, timeout: patienceMs }, (response) => {
      const { statusCode: status = 0 } = response
      if (status === noContent) response.resume()
      const said = status === noContent ? Promise.resolve(undefined) : json(response)
      said.then((what) => resolve({ status, said: what }), reject)
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${patienceMs / 1_000} seconds`)))
    asked.on('error', (cause) => reject(notUp(url, cause)))
    asked.end(body && JSON.stringify(body))
  })
}

function sentenceIn(said: unknown): string {
  const refusal = z.union([Refusal, PlatformRefusal]).safeParse(said)
  if (!refusal.success) return JSON.stringify(said)
  return 'detail' in refusal.data ? refusal.data.detail : refusal.data.error.message
}

function notUp(url: string, cause: Error): Error {
  const code = 'code' in cause ? String(cause.code) : ''
  const advice = /CERT|SIGNATURE/.test(code)
    ? `if the server was set up anew, run \`npx carrick login ${url}\` again`
    : 'is `npx carrick up` still running?'
  return new Error(`Carrick at ${url} does not answer (${cause.message}): ${advice}`, { cause })
}
