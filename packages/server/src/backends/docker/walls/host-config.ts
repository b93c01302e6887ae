import type { FileHandle } from 'node:fs/promises'
import type { HostConfig, MountSettings } from 'dockerode'
import type { Limits, Mount, RunnerSpec } from '../../backend.ts'
import { pinnedMount } from './pinned-folders.ts'
import type { RunnerUser } from './user.ts'

/** A runner, and what was made for it. */
export interface Walled {
  readonly spec: Pick<RunnerSpec, 'limits' | 'mounts' | 'sees' | 'leaves'>
  readonly user: RunnerUser
  /** Its account's network, and names that lead somewhere else in it. */
  readonly network: { readonly name: string; readonly hosts: readonly string[]; readonly dns: readonly string[] }
  /** Of its mounts those that are held open, by where they are in the container. */
  readonly pinned: ReadonlyMap<string, FileHandle>
  /** Folders of its own that go with it. */
  readonly scratch: readonly Mount[]
  /** Folders of the machine that every runner sees, and may write to. */
  readonly shared: readonly string[]
  /** Ports that the platform connects to, at a free port of the machine's loopback each. */
  readonly ports: readonly number[]
  /** Whether somebody reaps before the program is the first process. */
  readonly init: boolean
  /** Most processes and threads. */
  readonly tasks: number
  /** The program that makes the container; absent: the engine's own. */
  readonly runtime?: string
  /** How the engine gives devices: by CDI where it knows them. */
  readonly gpus: 'request' | 'cdi'
}

/**
 * All that keeps a runner in its container: it gets no rights, changes nothing but its own folders, and uses no more than
 * its machine type has. Devices and files of the machine are there only by name.
 */
export function hostConfigOf(walled: Walled): HostConfig {
  const { user, init, network, ports, runtime } = walled
  return {
    ...walls,
    LogConfig: { Type: 'none', Config: {} }, // we read all that it says, and nobody keeps it twice
    ...boundsOf(walled),
    ...(runtime === undefined ? {} : { Runtime: runtime }),
    Init: init,
    GroupAdd: [...user.groups],
    Mounts: mountsOf(walled),
    NetworkMode: network.name,
    ExtraHosts: [...network.hosts],
    ...(network.dns.length === 0 ? {} : { Dns: [...network.dns] }),
    PortBindings: Object.fromEntries(ports.map((port) => [`${port}/tcp`, [{ HostIp: '127.0.0.1', HostPort: '' }]])),
    DeviceRequests: deviceRequests(walled),
  }
}

/** What no runner may, whatever its app says. Seccomp's filter is the engine's own, which it sets unless it is told not to. */
const walls = {
  Privileged: false,
  CapDrop: ['ALL'],
  SecurityOpt: ['no-new-privileges'],
  ReadonlyRootfs: true,
  IpcMode: 'private',
  RestartPolicy: { Name: '' },
  // The machine writes core files by a program of its own, as root.
  Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
  // A machine without memory ends runners before the engine and the server.
  OomScoreAdj: 500,
} satisfies HostConfig

/** A start takes what CPU is idle, and this part of its own where others want it: their callers wait, its own do anyway. */
const startingShare = 1 / 8
const periodUs = 100_000
const leastQuotaUs = 1_000

/** Shared memory counts, and may be all that there is of it: GPUs that work together need much of it. */
function boundsOf({ spec: { limits }, tasks }: Walled): HostConfig {
  if (limits === undefined) return { PidsLimit: tasks }
  const { cpus, memoryBytes } = limits
  return {
    PidsLimit: tasks,
    Memory: memoryBytes,
    MemorySwap: memoryBytes, // with memory: no swap besides
    ShmSize: memoryBytes,
    CpuShares: sharesOf(cpus * startingShare),
  }
}

/** What to tell the engine of a runner that serves from now on: a quota would have slowed its start down. */
export function boundsOnceServing({ cpus }: Pick<Limits, 'cpus'>, hardCpu: boolean): HostConfig {
  const quota = Math.max(leastQuotaUs, Math.round(cpus * periodUs))
  return { CpuShares: sharesOf(cpus), ...(hardCpu ? { CpuPeriod: periodUs, CpuQuota: quota } : {}) }
}

/** 1024 is what one process weighs. */
const sharesOf = (cpus: number) => Math.min(Math.max(2, Math.round(cpus * 1_024)), 262_144)

function mountsOf({ spec, pinned, scratch, shared }: Walled): MountSettings[] {
  const { mounts, sees = [], leaves = [] } = spec
  const inPlace = (readOnly: boolean) => (path: string) => ({ from: path, to: path, readOnly })
  const seen = sees.map(inPlace(true))
  const all = [...scratch, ...shared.map(inPlace(false)), ...mounts, ...seen, ...leaves.map(inPlace(false))]
  // An engine takes one for each place: an image may declare /data, an operator share /tmp, and the later one is meant.
  return Array.from(new Map(all.map((mount) => [mount.to, mount])).values(), (mount) => {
    const folder = mounts.includes(mount) ? pinned.get(mount.to) : undefined
    return folder === undefined ? bindOf(mount) : pinnedMount(mount, folder)
  })
}

/** What the machine mounts below a folder later does not appear in it. A folder that is not there is an error. */
function bindOf({ from, to, readOnly }: Mount): MountSettings {
  return { Type: 'bind', Source: from, Target: to, ReadOnly: readOnly, BindOptions: { Propagation: 'rprivate' } }
}

/** GPUs by their index. Inside they are counted from 0, as `variablesOf` says. */
function deviceRequests({ spec: { limits }, gpus }: Walled): NonNullable<HostConfig['DeviceRequests']> {
  const indices = limits?.gpus ?? []
  if (indices.length === 0) return []
  if (gpus === 'cdi') return [{ Driver: 'cdi', DeviceIDs: indices.map((index) => `nvidia.com/gpu=${index}`) }]
  return [{ Driver: '', DeviceIDs: indices.map(String), Capabilities: [['gpu']] }]
}

/**
 * What a runner has to be told that differs in a container: its user has no entry in the image, and it sees none but its own
 * GPUs, whatever the image asks for.
 */
export function variablesOf(
  { limits }: Pick<RunnerSpec, 'limits'>,
  { user }: RunnerUser,
  home: string,
): Readonly<Record<string, string>> {
  const gpus = limits?.gpus ?? []
  return {
    ...(user === undefined ? {} : { HOME: home, USER: 'runner', LOGNAME: 'runner' }),
    ...(gpus.length === 0
      ? { NVIDIA_VISIBLE_DEVICES: 'void' }
      : { CUDA_VISIBLE_DEVICES: gpus.map((_, place) => place).join(',') }),
  }
}
