import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { isIP, isIPv6 } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { RunnerId } from '../../../domain/ids.ts'
import type { Confinement, RunnerSpec } from '../../backend.ts'
import { tryLaunch } from '../start/trial.ts'
import { ownAddresses } from './own-addresses.ts'
import { wayOut, type WayOut } from './way-out.ts'

/** What runners have of namespaces, and how the launcher is told to make them. */
export interface Isolation {
  readonly confinement: readonly Confinement[]
  /** Whether each has its own processes, files, host name and shared memory. */
  readonly apart: boolean
  /** Whether each has a network of its own. */
  readonly ownNetwork: boolean
  /** Makes what a runner's folder holds of files that it sees elsewhere. To be called before it is told its options. */
  makeFiles(id: RunnerId, folder: string): void
  /** The launcher's options for one runner, whose folder is there. None where runners are not apart. */
  optionsFor(spec: RunnerSpec, place: IsolatedPlace): Promise<readonly string[]>
  /** The ports of a runner's own network that lead to the machine's: they are open before any program of it is there. */
  waysOut(ports: readonly number[], exposedPort: number | undefined): ReadonlyMap<number, number>
}

export interface IsolatedPlace {
  readonly folder: string
  /** What the platform connects to: the first one takes the place of the port that the server binds. */
  readonly ports: readonly number[]
}

/** A port that the runner asks for, and what it has of the machine's ports instead. */
interface Door {
  readonly inside: number
  readonly outside: number
}

/** Where runners reach the platform: on loopback. */
export interface Ingress {
  readonly port: number
  /** What a deployer's code has frozen inside leads there as well: the platform's own port, and its names. */
  readonly insteadOf: { readonly port: number; readonly names: readonly string[] }
}

export interface IsolationParts {
  readonly mode: 'auto' | 'always' | 'never'
  /** What begins a runner: an interpreter of the machine, and the folder `carrick_launch`. */
  readonly python: string | undefined
  readonly program: string
  /** Folders of the machine that no runner may see, whatever of its own is in them. */
  readonly hidden: readonly string[]
  /** Folders of the machine that every runner sees, and may write to. */
  readonly shared: readonly string[]
  readonly ingress: Ingress | undefined
}

/** What every trial is of: none of it is had without the others. */
const parts = ['other processes', 'files', 'host name', 'shared memory'] as const

/**
 * Finds out, by trying, what runners can have here. Throws a sentence when they must have all (`always`) and cannot.
 */
export async function openIsolation(wanted: IsolationParts): Promise<Isolation> {
  const out = await wayOut()
  const never = whyNever(wanted)
  // What has a network has the rest as well: one trial is enough where all can be had.
  const noNetwork = never ?? ('why' in out ? out.why : await trial(wanted, out))
  const notApart = noNetwork === undefined ? undefined : (never ?? (await trial(wanted, undefined)))
  if (notApart !== undefined) {
    insist(wanted, `runners cannot be kept apart: ${notApart}`)
    return {
      confinement: without([...parts, 'network'], notApart),
      apart: false,
      ownNetwork: false,
      makeFiles: () => {},
      optionsFor: async () => [],
      waysOut: () => new Map(),
    }
  }
  if (noNetwork !== undefined) insist(wanted, `runners cannot have networks of their own: ${noNetwork}`)
  const network = noNetwork === undefined && !('why' in out) ? out : undefined
  return {
    confinement: [
      ...parts.map((part) => ({ part, by: 'namespace' })),
      ...(network ? [{ part: 'network', by: 'namespace, pasta' }] : without(['network'], noNetwork ?? '')),
    ],
    apart: true,
    ownNetwork: network !== undefined,
    makeFiles: (id, folder) => makeFiles(wanted, network, id, folder),
    optionsFor: (spec, place) => optionsFor(wanted, network, spec, place),
    waysOut: (ports, exposedPort) => waysOut(doorsOf(ports, exposedPort), wanted.ingress),
  }
}

function insist({ mode }: IsolationParts, sentence: string): void {
  if (mode === 'always') throw new Error(`CARRICK_ISOLATION is "always", but ${sentence}`)
}

const without = (all: readonly string[], why: string): readonly Confinement[] =>
  all.map((part) => ({ part, by: null, why }))

/** Why there is nothing to try. */
function whyNever({ mode, python }: IsolationParts): string | undefined {
  if (mode === 'never') return 'CARRICK_ISOLATION is "never"'
  if (process.platform !== 'linux') return 'only Linux has namespaces'
  return python === undefined ? 'there is no python3 (3.9 or newer) on this machine to begin them by' : undefined
}

/** Why the launcher cannot make this; undefined when it can. */
async function trial(wanted: IsolationParts, network: WayOut | undefined): Promise<string | undefined> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'carrick-trial-')))
  try {
    await Promise.all(['work', 'tmp'].map((name) => mkdir(join(folder, name))))
    const spec = { id: 'trial', appId: '', revisionId: '', accountId: '', command: ['true'], variables: {}, mounts: [] }
    makeFiles(wanted, network, spec.id, folder)
    const options = await optionsFor(wanted, network, spec, { folder, ports: [] })
    const { python = '', program } = wanted
    return await tryLaunch({ python, program, options, folder, ready: network && readyFile(folder) })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const readyFile = (folder: string) => join(folder, 'tmp', '.network')

/** The machine's names, and its own. */
function makeFiles({ ingress }: IsolationParts, network: WayOut | undefined, id: RunnerId, folder: string): void {
  const names = network ? (ingress?.insteadOf.names.filter((name) => isIP(name) === 0) ?? []) : []
  writeFileSync(hostsFile(folder), `127.0.0.1 ${[id, ...names].join(' ')}\n${hostsOfMachine()}`)
}

function hostsOfMachine(): string {
  try {
    return readFileSync('/etc/hosts', 'utf8')
  } catch {
    return '127.0.0.1 localhost\n'
  }
}

const hostsFile = (folder: string) => join(folder, 'hosts')

async function optionsFor(
  { hidden, shared, ingress, program }: IsolationParts,
  network: WayOut | undefined,
  { id, command, mounts, sees = [], leaves = [], exposedPort }: RunnerSpec,
  { folder, ports }: IsolatedPlace,
): Promise<readonly string[]> {
  await Promise.all(leaves.map((path) => mkdir(path, { recursive: true })))
  return [
    ...named('root', join(folder, 'root')),
    ...named('layers', join(folder, 'layers')),
    ...named('tmp', join(folder, 'tmp')),
    ...named('main', mainFile(folder)),
    ...named('host', id),
    ...named('share', ...shared),
    ...named('hide', ...hidden),
    ...named('own', join(folder, 'work'), join(folder, 'tmp'), ...leaves),
    ...named('see', dirname(program), ...sees),
    ...named('program', command[0] ?? ''),
    ...named('put-at', '/etc/hosts').concat(named('put', hostsFile(folder))),
    ...mounts.flatMap(({ from, to, readOnly, refuses }) => [
      ...named('mount-from', from),
      ...named('mount-to', to),
      ...named('mount-read-only', readOnly ? (refuses ? '2' : '1') : '0'),
    ]),
    ...(network ? networkOptions(network, readyFile(folder), doorsOf(ports, exposedPort), ingress) : []),
  ]
}

function doorsOf(ports: readonly number[], exposedPort: number | undefined): readonly Door[] {
  const own = ports.map((port) => ({ inside: port, outside: port }))
  const [app] = ports
  const isFixed = app !== undefined && exposedPort !== undefined && !ports.includes(exposedPort)
  return isFixed ? [...own, { inside: exposedPort, outside: app }] : own
}

function networkOptions(
  { pasta, resolver }: WayOut,
  ready: string,
  doors: readonly Door[],
  ingress: Ingress | undefined,
): readonly string[] {
  const forwarded = Array.from(waysOut(doors, ingress), ([inside, outside]) => `${inside}:${outside}`)
  return [
    ...named('pasta', pasta),
    ...named('ready', ready),
    ...named('port', ...doors.map(({ inside, outside }) => `${inside}:${outside}`)),
    ...named('forward', forwarded.length === 0 ? 'none' : forwarded.join(',')),
    ...named('deny', ...denied()),
    ...(resolver === undefined ? [] : [...named('put-at', '/etc/resolv.conf'), ...named('put', resolver)]),
  ]
}

/**
 * A socket that was made outside is found inside as if it were there, and so is the ingress. A port that the app binds is
 * its own, also where a deployer knows the platform by that number.
 */
function waysOut(doors: readonly Door[], ingress: Ingress | undefined): ReadonlyMap<number, number> {
  return new Map([
    ...(ingress === undefined ? [] : [[ingress.insteadOf.port, ingress.port] as const]),
    ...doors.map(({ inside, outside }) => [inside, outside] as const),
    ...(ingress === undefined ? [] : [[ingress.port, ingress.port] as const]),
  ])
}

/** Where the machine's own keys are told by clouds, and the machine itself, by all its names. */
function denied(): readonly string[] {
  return [
    '169.254.0.0/16',
    'fd00:ec2::254/128',
    ...ownAddresses().map((address) => `${address}/${isIPv6(address) ? 128 : 32}`),
  ]
}

const named = (name: string, ...values: readonly string[]) => values.flatMap((value) => [`--${name}`, value])

/** Where the launcher notes which process the runner's program is. */
export const mainFile = (folder: string): string => join(folder, 'main')

/** What tells a runner that its network works: the file is there, and not empty. */
export const networkFile = (isolation: Isolation, folder: string): string | undefined =>
  isolation.ownNetwork ? readyFile(folder) : undefined
