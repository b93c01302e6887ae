import type { Confinement } from '../../backend.ts'

/** What an engine says of itself that decides how well it bounds. */
export interface WallFacts {
  readonly cgroup: string
  readonly memory: boolean
  readonly swap: boolean
  readonly cpu: boolean
  readonly pids: boolean
  readonly seccomp: boolean
  /** Whether packets within a bridge pass the firewall. */
  readonly filtersBridges: boolean
  readonly hasCdi: boolean
}

interface EngineInfo {
  readonly CgroupVersion?: string
  readonly MemoryLimit?: boolean
  readonly SwapLimit?: boolean
  readonly CpuCfsQuota?: boolean
  readonly CPUShares?: boolean
  readonly PidsLimit?: boolean
  readonly BridgeNfIptables?: boolean
  readonly SecurityOptions?: readonly string[] | null
  readonly DiscoveredDevices?: readonly { readonly Source?: string; readonly ID?: string }[] | null
}

export function wallFacts(info: EngineInfo): WallFacts {
  const seccomp = (info.SecurityOptions ?? []).find((option) => option.includes('name=seccomp'))
  return {
    cgroup: `cgroup v${info.CgroupVersion ?? '1'}`,
    memory: info.MemoryLimit === true,
    swap: info.SwapLimit === true,
    cpu: info.CpuCfsQuota === true && info.CPUShares === true,
    pids: info.PidsLimit === true,
    seccomp: seccomp !== undefined && !seccomp.includes('unconfined'),
    filtersBridges: info.BridgeNfIptables === true,
    hasCdi: (info.DiscoveredDevices ?? []).some(({ ID = '' }) => ID.startsWith('nvidia.com/gpu=')),
  }
}

export interface WallsHad {
  /** Why there is no firewall of ours. */
  readonly firewall: string | undefined
  readonly runtime: string
}

const lacking = 'the container engine cannot bound it on this machine'

export function confinementOf(facts: WallFacts, { firewall, runtime }: WallsHad): readonly Confinement[] {
  const container = `container${runtime === '' ? '' : `, ${runtime}`}`
  const bounded = (part: string, is: boolean): Confinement =>
    is ? { part, by: facts.cgroup } : { part, by: null, why: lacking }
  return [
    {
      ...bounded('memory', facts.memory),
      ...(facts.memory && !facts.swap ? { why: 'the engine cannot bound swap on this machine' } : {}),
    },
    bounded('cpu', facts.cpu),
    bounded('processes', facts.pids),
    { part: 'disk', by: 'a look at its folders, once a second' },
    ...['other processes', 'files', 'host name', 'shared memory'].map((part) => ({ part, by: container })),
    facts.seccomp
      ? { part: 'system calls', by: 'seccomp, no capabilities' }
      : { part: 'system calls', by: 'no capabilities', why: 'the engine has no seccomp filter' },
    { part: 'network', ...networkOf(facts, firewall) },
  ]
}

function networkOf({ filtersBridges }: WallFacts, firewall: string | undefined): Omit<Confinement, 'part'> {
  const open = [
    ...(firewall === undefined ? [] : [`the machine's own addresses and 169.254.0.0/16 are not refused: ${firewall}`]),
    ...(filtersBridges
      ? []
      : ['runners of one account reach one another: the kernel does not filter bridges (br_netfilter)']),
  ]
  const by = firewall === undefined ? 'bridge per account, iptables' : 'bridge per account'
  return open.length === 0 ? { by } : { by, why: open.join('; ') }
}
