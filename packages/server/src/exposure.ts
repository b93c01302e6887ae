import { networksOf } from './kit/networks.ts'

export interface Exposed {
  /** The address that is listened on. */
  readonly host: string
  readonly port: number
  /** What this server is called besides its local names: what its certificate is for. */
  readonly names: readonly string[]
  /** The addresses that this machine has, as others may reach it by them. */
  readonly addresses: readonly string[]
  /** SHA-256 of the CA. */
  readonly fingerprint: string
}

const isLocal = networksOf(['127.0.0.0/8', '::1'])
const isEverything = networksOf(['0.0.0.0', '::'])

/** What an operator should know about a server that other machines can reach, in lines; none for one that they cannot. */
export function exposure({ host, port, names, addresses, fingerprint }: Exposed): readonly string[] {
  if (host === 'localhost' || isLocal(host)) return []
  const reached = isEverything(host) ? addresses : [host]
  const lacking = reached.filter((address) => !names.includes(address))
  const login = `npx carrick login https://${bracketed(names[0] ?? lacking[0] ?? host)}:${port} --fingerprint ${fingerprint}`
  return [
    `Whoever can reach ${isEverything(host) ? `this machine (${reached.join(', ') || 'it has no address now'})` : host} on port ${port} reaches this server; what they may do is for their keys to say, and over plain http a key can be read on the way.`,
    names.length === 0
      ? 'Its certificate is for this machine alone: start it with --name and the name or address that others use.'
      : `Its certificate is for ${names.join(', ')}${lacking.length === 0 ? '' : `, and not for ${lacking.join(', ')} (--name adds more)`}.`,
    ...(names.length === 0 ? [] : [`From another machine: ${login}`]),
  ]
}

const bracketed = (name: string): string => (name.includes(':') ? `[${name}]` : name)
