/** Where runners may go besides the runner ingress: anywhere, to the public internet, or nowhere. */
export type Egress = 'open' | 'public' | 'none'

export interface Walls {
  /** How the names of our bridges begin, and those of no others. */
  readonly prefix: string
  /** The addresses of our networks. */
  readonly pool: string
  readonly ingressPort: number
  readonly egress: Egress
  /** IPv4 addresses of the servers that know names. Some clouds have theirs where they tell secrets, too. */
  readonly resolvers: readonly string[]
  /** More addresses that lead to the machine than those of our bridges: where the engine's network is not the machine's. */
  readonly machine?: readonly string[]
}

/** Chains of our own, each reached from one place and by packets of our bridges only. */
export interface Chains {
  readonly toMachine: string
  readonly through: string
  /** Into our bridges, from wherever it comes. */
  readonly into: string
}

export const chainsOf = ({ prefix }: Pick<Walls, 'prefix'>): Chains => {
  const name = `CARRICK-${prefix.slice(2).toUpperCase()}`
  return { toMachine: `${name}-IN`, through: `${name}-OUT`, into: `${name}-TO` }
}

/** Machines tell their keys here (AWS, GCP, Azure and others); nothing of a runner's is on its link. */
const linkLocal = '169.254.0.0/16'
/** What is not of the public internet (RFC 6890). */
const notPublic = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
]

/** At once: of the kernel's other refusals there are few per second. */
const refusals = (what = '') => [`${what}-p tcp -j REJECT --reject-with tcp-reset`, `${what}-j REJECT`]
const answers = '-m conntrack --ctstate ESTABLISHED,RELATED'

/** The rules of both chains, as `iptables-restore --noflush` takes them: what stood in the chains goes, all else stays. */
export function rulesIPv4(walls: Walls): string {
  const { toMachine, through, into } = chainsOf(walls)
  const { pool, ingressPort, prefix, egress } = walls
  const names = egress === 'none' ? [] : walls.resolvers.flatMap(nameRules)
  return restored([
    [
      toMachine,
      [
        `${answers} -j ACCEPT`,
        `-d ${pool} -p tcp --dport ${ingressPort} -j ACCEPT`,
        ...names.map(accepted),
        ...refusals(),
      ],
    ],
    [
      through,
      [
        `${answers} -j RETURN`,
        ...refusals(`-o ${prefix}+ `),
        ...names.map((rule) => `${rule} -j RETURN`),
        ...(walls.machine ?? []).flatMap((address) => refusals(`-d ${address} `)),
        ...refusals(`-d ${linkLocal} `),
        ...beyond(egress),
      ],
    ],
    // The machine calls runners by their published ports, which pass no forwarding; a neighbour of it would come past all doors.
    [into, [`${answers} -j RETURN`, ...refusals()]],
  ])
}

/** These networks have no IPv6; a packet of it is somebody's attempt. */
export function rulesIPv6(walls: Pick<Walls, 'prefix'>): string {
  return restored(Object.values(chainsOf(walls)).map((chain) => [chain, refusals()]))
}

const nameRules = (resolver: string) => ['udp', 'tcp'].map((protocol) => `-d ${resolver} -p ${protocol} --dport 53`)
const accepted = (rule: string) => `${rule} -j ACCEPT`

function beyond(egress: Egress): readonly string[] {
  if (egress === 'open') return []
  return egress === 'none' ? refusals() : notPublic.flatMap((network) => refusals(`-d ${network} `))
}

function restored(chains: readonly (readonly [name: string, rules: readonly string[]])[]): string {
  const declared = chains.map(([name]) => `:${name} - [0:0]`)
  const rules = chains.flatMap(([name, all]) => all.map((rule) => `-A ${name} ${rule}`))
  return ['*filter', ...declared, ...rules, 'COMMIT', ''].join('\n')
}
