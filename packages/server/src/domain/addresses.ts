/** How a caller reached us: through TLS or not, and the host (with its port) that it named. */
export interface Connection {
  readonly secure: boolean
  readonly authority: string | undefined
}

/** What this server is called. */
export interface ServerNames {
  /** Host names without a port, the most fitting one first. */
  readonly hosts: readonly string[]
  readonly port: number
}

/** The start of every address in our answers: `https://host:port`. The host as the caller wrote it when it is one of our names, else the first. */
export function baseUrl({ secure, authority }: Connection, { hosts, port }: ServerNames): string {
  const scheme = secure ? 'https' : 'http'
  const named = authority === undefined ? null : URL.parse(`${scheme}://${authority}`)
  if (named !== null && authority === named.host && hosts.includes(unbracketed(named.hostname))) return named.origin
  return new URL(`${scheme}://${bracketed(hosts[0] ?? 'localhost')}:${port}`).origin
}

/**
 * The start of addresses that are handed on: a runner's upload is read by whoever called the app, who knows nothing of
 * the `host:port` at which runners reach us. Everybody else is answered by the name that they used.
 */
export function publicUrl(connection: Connection, names: ServerNames, ingress: string): string {
  return baseUrl(connection.authority === ingress ? { secure: true, authority: undefined } : connection, names)
}

const unbracketed = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')
const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)
