/**
 * Walls around the runners of a container engine: what each may do, see, reach and use. All of it is made before a
 * container is, and nothing inside can change it.
 */
import type { ContainerCreateOptions, HostConfig } from 'dockerode'
import type { RunnerId } from '../../../domain/ids.ts'
import type { Logger } from '../../../kit/logger.ts'
import type { Confinement, RunnerSpec } from '../../backend.ts'
import type { Engine } from '../engine/engine.ts'
import type { Egress } from '../network/firewall-rules.ts'
import { followAddresses } from '../network/firewall-follow.ts'
import { openFirewall } from '../network/firewall.ts'
import { boundsOnceServing, hostConfigOf, variablesOf } from './host-config.ts'
import { labelsOfInstallation } from '../labels.ts'
import type { EngineInside } from '../engine/inside.ts'
import { bridgePrefix, openNetworks, type IngressDoor } from '../network/network.ts'
import { ownAddresses, resolvers } from '../network/taken.ts'
import { isPodman, podmanAsks } from '../engine/podman.ts'
import { createPinnedFolders } from './pinned-folders.ts'
import { enterRootless } from '../engine/rootless.ts'
import { giveAccess, openToAll } from './access.ts'
import { confinementOf, wallFacts } from './confinement.ts'
import { createImageWishes } from './image.ts'
import { checkStandard, runtimeOf } from './runtime.ts'
import { openScratch } from './scratch.ts'
import { userOf } from './user.ts'

export interface WallsOptions {
  readonly engine: Engine
  readonly installation: string
  readonly log: Logger
  /** Absent: runners reach no platform. */
  readonly ingress?: IngressDoor
  readonly walls?: Partial<WallSettings>
  /** Of a rootless engine, where somebody has entered it already. */
  readonly inside?: EngineInside | undefined
}

/** What operators choose. */
export interface WallSettings {
  /** Most processes and threads of one runner. */
  readonly tasks: number
  /** Whether a runner that serves may use no more CPU than its machine type has. */
  readonly hardCpu: boolean
  /** Most bytes that one runner may write outside of `/data`. */
  readonly scratchBytes: number
  readonly egress: Egress
  /** The addresses of runners' networks. */
  readonly pool: string
  /** Folders of the machine that every runner sees, and may write to. */
  readonly shared: readonly string[]
  /** The engine's runtime for runners; empty for its own. */
  readonly runtime: string
  /** Those that apps may choose instead. */
  readonly runtimes: readonly string[]
}

const usual: WallSettings = {
  tasks: 8_192,
  hardCpu: true,
  scratchBytes: 32 * 1024 ** 3,
  egress: 'open',
  pool: '10.212.0.0/14',
  shared: [],
  runtime: '',
  runtimes: [],
}

/** What is true of a runner's container besides. */
export interface ContainerPlace {
  /** Of the machine, the runner's own: all that it writes outside of `/data` is below it. */
  readonly folder: string
  /** Below it: where it is, and its HOME. It is at the same path inside. */
  readonly work: string
  /** Where its server listens, in the container. */
  readonly port: number
  /** Whether what runs needs somebody to reap what it leaves. */
  readonly init: boolean
}

/** All of a container's configuration but what runs in it. */
export interface Walled {
  readonly options: Pick<ContainerCreateOptions, 'HostConfig' | 'User' | 'Hostname'>
  /** They come last: none of them is an app's to choose. */
  readonly variables: Readonly<Record<string, string>>
}

export interface Walls {
  readonly confinement: readonly Confinement[]
  /** Throws `bad_request` for a runtime that an app may not choose here. */
  requireRuntime(name: string): void
  /** Makes what one container needs. Throws the engine's 404 when its image is not there yet. */
  surround(spec: RunnerSpec, place: ContainerPlace): Promise<Walled>
  /** Its container runs: what was held for its start is let go. */
  begun(id: RunnerId): Promise<void>
  /** What to tell the engine of a runner from the moment it serves, if anything. */
  onceServing(spec: RunnerSpec): HostConfig | undefined
  /** Its container is gone: so is what it wrote, and in a while its network, when it was the last there. */
  forget(id: RunnerId): Promise<void>
  /** Calls back with one that has written more than it may, again and again until it is forgotten, and a sentence why. */
  onFull(listener: (id: RunnerId, sentence: string) => void): void
  close(): Promise<void>
}

/** Throws a sentence for settings that cannot be had here. */
export async function openWalls({
  engine,
  installation,
  log,
  ingress,
  walls,
  inside: entered,
}: WallsOptions): Promise<Walls> {
  const set: WallSettings = { ...usual, ...walls }
  const { docker } = engine
  const facts = wallFacts(await docker.info())
  const runtimes = { known: engine.facts.runtimes, standard: set.runtime, allowed: set.runtimes }
  checkStandard(runtimes)
  const inside = entered ?? (await enterRootless(engine))
  const addresses = async () => [...(inside?.machine ?? []), ...(await ownAddresses())]
  const known = await addresses()
  const isPodmans = await isPodman(docker)
  const firewall = await openFirewall({
    prefix: bridgePrefix(installation),
    pool: set.pool,
    ingressPort: ingress?.port ?? 0,
    egress: set.egress,
    resolvers: inside?.resolvers ?? (await resolvers()),
    asked: isPodmans ? podmanAsks : [],
    ...(inside === undefined ? {} : { begin: inside.begin, machine: addresses }),
  })
  if (firewall.why !== undefined && set.egress !== 'open')
    throw new Error(`CARRICK_EGRESS is "${set.egress}", which needs the machine's firewall, and ${firewall.why}`)
  const networks = await openNetworks({
    ...set,
    docker,
    installation,
    ingress,
    firewall,
    engineTidies: isPodmans,
    inside,
    log,
  })
  const scratch = openScratch({ mostBytes: set.scratchBytes, log })
  const wishesOf = createImageWishes(docker, labelsOfInstallation(installation))
  const pins = createPinnedFolders()
  const server = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  // Last of all: it would go on where something else could not be had.
  const following = inside === undefined ? undefined : followAddresses({ firewall, addresses, known, log })

  return {
    confinement: confinementOf(facts, { firewall: firewall.why, runtime: set.runtime }),
    requireRuntime: (name) => void runtimeOf(name, runtimes),
    async surround(spec, place) {
      const runtime = runtimeOf(spec.runtime, runtimes)
      const image = await wishesOf(spec.image?.reference ?? '')
      const { isRootless: rootless } = engine.facts
      const user = userOf({ accountId: spec.accountId, imageUser: image.user, server, rootless })
      const pinned = await pins.hold(spec.id, spec.mounts)
      await giveAccess(spec, user, pinned)
      const shared = await openToAll(set.shared, server)
      const own = await scratch.make(spec.id, place.folder, image.volumes)
      const network = await networks.join(spec.accountId, spec.id)
      const isOurs = spec.command.length > 0
      const config = hostConfigOf({
        ...set,
        ...place,
        spec,
        shared,
        user,
        pinned,
        network: isOurs ? { ...network, hosts: [...network.hosts, ...network.forwarded] } : network,
        scratch: [...own, { from: place.work, to: place.work, readOnly: false }],
        ports: [place.port],
        gpus: facts.hasCdi ? 'cdi' : 'request',
        runtime,
      })
      return {
        options: {
          HostConfig: config,
          Hostname: spec.id,
          ...(user.user === undefined ? {} : { User: user.user }),
        },
        variables: { ...variablesOf(spec, user, place.work), ...(isOurs ? networkVariables(ingress) : {}) },
      }
    },
    // An engine that bounds no CPU refuses to be told about it.
    onceServing: ({ limits }) => (facts.cpu ? limits && boundsOnceServing(limits, set.hardCpu) : undefined),
    begun: (id) => pins.release(id),
    async forget(id) {
      await pins.release(id)
      networks.leave(id)
      await scratch.forget(id)
    },
    onFull: (listener) => scratch.onFull(listener),
    async close() {
      await scratch.close()
      await networks.close()
      await following?.stop()
      await firewall.close()
      inside?.close()
    },
  }
}

/** The bootstrap leaves servers where they bind, and listens where code knows the platform by an address of the deployer's. */
function networkVariables(ingress: IngressDoor | undefined): Record<string, string> {
  const own = { CARRICK_RUNNER_OWN_NETWORK: '1' }
  if (ingress === undefined) return own
  return { ...own, CARRICK_RUNNER_FORWARD: `${ingress.insteadOf.port}=${ingress.name}:${ingress.port}` }
}
