/** What is served under a host name of its own. */
export type Service = 'call' | 'queue' | 'ws' | 'rest'

const services: Readonly<Record<string, Service>> = { queue: 'queue', ws: 'ws', rest: 'rest', api: 'rest' }

/** The host without its port when it is one of ours: a plain name, or a name with a service in front. */
export function hostIn(authority: string | undefined, hosts: readonly string[]): string | undefined {
  const host = hostname(authority)
  return host !== undefined && (hosts.includes(host) || serviceIn(authority, hosts) !== undefined) ? host : undefined
}

/** The service that the host name stands for: `queue.example.com` where `example.com` is one of our names. */
export function serviceIn(authority: string | undefined, hosts: readonly string[]): Service | undefined {
  const host = hostname(authority)
  const dot = host?.indexOf('.') ?? -1
  if (host === undefined || dot === -1 || !hosts.includes(host.slice(dot + 1))) return undefined
  const label = host.slice(0, dot)
  return Object.hasOwn(services, label) ? services[label] : undefined
}

function hostname(authority: string | undefined): string | undefined {
  if (authority === undefined) return undefined
  return URL.parse(`http://${authority}`)
    ?.hostname.replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}
