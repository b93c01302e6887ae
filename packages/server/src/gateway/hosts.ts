/** What is served under a host name of its own. */
export type Service = 'call' | 'queue' | 'ws' | 'rest' | 'kv'

const services: Readonly<Record<string, Service>> = { queue: 'queue', ws: 'ws', rest: 'rest', api: 'rest', kv: 'kv' }

/** The hosts that clients have built in, and what this server has in their place. */
const builtIn: Readonly<Record<string, Service>> = {
  'fal.run': 'call',
  'falrun.com': 'call',
  'queue.fal.run': 'queue',
  'queue.falrun.com': 'queue',
  'ws.fal.run': 'ws',
  'rest.fal.ai': 'rest',
  'rest.alpha.fal.ai': 'rest',
  'v3.fal.media': 'rest',
  'v3b.fal.media': 'rest',
  'kv.fal.media': 'kv',
}

/** What this server has in place of a host that clients have built in. */
export function standInFor(host: string): Service | undefined {
  return Object.hasOwn(builtIn, host) ? builtIn[host] : undefined
}

/** The host without its port when it is one of ours: a plain name, or a name with a service in front. */
export function hostIn(authority: string | undefined, hosts: readonly string[]): string | undefined {
  const host = hostname(authority)
  return host !== undefined && (hosts.includes(host) || serviceIn(authority, hosts) !== undefined) ? host : undefined
}

/**
 * The service that the host name stands for: `queue.example.com` where `example.com` is one of our names, or a host that
 * clients have built in where it is one of our names itself.
 */
export function serviceIn(authority: string | undefined, hosts: readonly string[]): Service | undefined {
  const host = hostname(authority)
  const dot = host?.indexOf('.') ?? -1
  if (host !== undefined && hosts.includes(host)) return onItsOwn(standInFor(host))
  if (host === undefined || dot === -1 || !hosts.includes(host.slice(dot + 1))) return undefined
  const label = host.slice(0, dot)
  return Object.hasOwn(services, label) ? services[label] : undefined
}

/** Calls and control are told apart by their paths on every name, and prefixes work there too. */
const onItsOwn = (service: Service | undefined) => (service === 'call' || service === 'rest' ? undefined : service)

function hostname(authority: string | undefined): string | undefined {
  if (authority === undefined || known.has(authority)) return authority && known.get(authority)
  const host = URL.parse(`http://${authority}`)
    ?.hostname.replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
  if (authority.length > longestName) return host
  if (known.size >= mostKnown) known.clear()
  known.set(authority, host)
  return host
}

/** Every request names a host, nearly always one of a few. */
const known = new Map<string, string | undefined>()
const mostKnown = 100
const longestName = 255
