import { baseUrl, type Connection, type ServerNames } from '../domain/addresses.ts'
import type { RequestId } from '../domain/ids.ts'
import { wireName } from '../domain/names.ts'
import { serviceIn } from './hosts.ts'
import type { Alias } from './target.ts'

/** The addresses of a request, as its caller can reach them: by the name and scheme that it used itself. */
export interface RequestUrls {
  readonly response_url: string
  readonly status_url: string
  readonly cancel_url: string
}

export function requestUrls(
  connection: Connection,
  names: ServerNames,
  alias: Alias,
  requestId: RequestId,
): RequestUrls {
  const url = `${queueUrl(connection, names)}/${wireName(alias)}/requests/${requestId}`
  return { response_url: url, status_url: `${url}/status`, cancel_url: `${url}/cancel` }
}

/** Callers name the server by one of a few names: what follows from each is worked out once. */
const known = new Map<string, { readonly names: ServerNames; readonly url: string }>()
const mostKnown = 100

function queueUrl(connection: Connection, names: ServerNames): string {
  const asked = `${connection.secure ? 'https' : 'http'}://${connection.authority ?? ''}`
  const before = known.get(asked)
  if (before?.names.hosts === names.hosts && before.names.port === names.port) return before.url
  const url = workedOut(connection, names)
  if (known.size >= mostKnown) known.clear()
  if (asked.length <= longestName) known.set(asked, { names, url })
  return url
}

const longestName = 300

function workedOut(connection: Connection, names: ServerNames): string {
  const { secure, authority } = connection
  if (serviceIn(authority, names.hosts) === 'queue') return `${secure ? 'https' : 'http'}://${authority}`
  return `${baseUrl(connection, names)}/queue`
}
