import { createHash } from 'node:crypto'
import { isIP, type Server } from 'node:net'
import type Dockerode from 'dockerode'
import type { AccountId, RunnerId } from '../../../domain/ids.ts'
import type { Logger } from '../../../kit/logger.ts'
import { unless } from '../engine/engine.ts'
import type { Egress } from './firewall-rules.ts'
import { labelsOfInstallation } from '../labels.ts'
import type { EngineInside } from '../engine/inside.ts'
import { freeSubnets } from './addresses.ts'
import { takenNetworks } from './taken.ts'
import { answered } from '../walls/answer.ts'
import { patientDoor } from '../engine/patient-door.ts'

/** Where runners in containers reach the platform. */
export interface IngressDoor {
  /** The host name by which they know it. */
  readonly name: string
  /** The same at every address. */
  readonly port: number
  /** Listens at one more address of this machine, or by what listens in another network, until it is disposed. Throws a sentence. */
  readonly listenAt: (address: string, through?: Server) => Promise<AsyncDisposable>
  /** What a deployer's code has frozen inside: the platform's own port, and its names. */
  readonly insteadOf: { readonly port: number; readonly names: readonly string[] }
}

export interface NetworksOptions {
  readonly docker: Dockerode
  readonly installation: string
  readonly ingress: IngressDoor | undefined
  /** The addresses of all accounts' networks. */
  readonly pool: string
  readonly egress: Egress
  readonly firewall: { ensure(): Promise<void> }
  /** Whether the engine takes chains away, and what is in them, with its last container: then they are looked at for each runner. */
  readonly engineTidies?: boolean
  /** Where the engine is not in the machine's own network. */
  readonly inside?: Pick<EngineInside, 'listen'> | undefined
  readonly log: Logger
}

/** What a container needs to know of its network. */
export interface RunnerNetwork {
  readonly name: string
  /** The ingress by its name, as `--add-host` takes it. */
  readonly hosts: readonly string[]
  /** The platform's own names, which lead to the container's loopback, where the bootstrap's forwarder listens. */
  readonly forwarded: readonly string[]
  /** Instead of the machine's servers of names; none for the same. */
  readonly dns: readonly string[]
}

/** One network for each account, as long as a runner of it is there, and for a while after. */
export interface Networks {
  /** The network of an account, for one more of its runners. */
  join(account: AccountId, runner: RunnerId): Promise<RunnerNetwork>
  /** The runner is gone. */
  leave(runner: RunnerId): void
  /** Takes away what nobody uses. A network with a container in it stays. */
  close(): Promise<void>
}

interface Network {
  readonly id: string
  readonly name: string
  readonly gateway: string
  readonly door: AsyncDisposable | undefined
}

const accountLabel = 'carrick.account'
/** A new network takes the engine some 200 ms: an app that scales to zero is not to pay them each time. */
const lingerMs = 10 * 60_000

const notReached = 'runners of an account do not reach the platform: the ingress cannot listen in their network'
const withoutRules = "the machine's firewall does not take the rules about what runners may reach"

/** How the names of the bridges of one installation begin. */
export const bridgePrefix = (installation: string): string => `cr${hashed(installation).slice(0, 5)}`

export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  const { docker, installation, ingress, log } = options
  const networks = new Map<AccountId, Promise<Network>>()
  const members = new Map<RunnerId, AccountId>()
  const departures = new Map<AccountId, NodeJS.Timeout>()
  await removeUnused(docker, installation)

  const isUsed = (account: AccountId) => [...members.values()].includes(account)

  const listen = async (door: IngressDoor, gateway: string) =>
    door.listenAt(gateway, await options.inside?.listen(gateway, door.port))

  async function take(account: AccountId): Promise<Network> {
    const found = (await ours(docker, installation, account))[0]
    const made = found ?? (await create(options, account))
    await ensureWalls()
    return {
      ...made,
      door: ingress && (await patientDoor({ open: () => listen(ingress, made.gateway), failed: unheard })),
    }
  }

  /** No runner on a network without walls: what is missing is put up, or nothing starts there. */
  async function ensureWalls(): Promise<void> {
    await options.firewall.ensure().catch((cause: Error) => {
      log.error({ err: cause }, withoutRules)
      throw new Error(`${withoutRules} (${cause.message}): no runner is started without them`, { cause })
    })
  }

  /** What nobody uses somebody may have tidied away. */
  const orAnother = (account: AccountId) => async (network: Network) => {
    const isThere = await unless([404], answered(docker.getNetwork(network.id).inspect()))
    if (isThere !== undefined) return network
    await network.door?.[Symbol.asyncDispose]()
    return take(account)
  }

  /** An engine may have its networks somewhere else: below another user, or in a machine of its own. */
  const unheard = (error: unknown) => log.warn({ err: error }, notReached)

  async function giveUp(account: AccountId): Promise<void> {
    const network = await networks.get(account)?.catch(ignore)
    networks.delete(account)
    if (network === undefined) return
    await network.door?.[Symbol.asyncDispose]()
    await docker
      .getNetwork(network.id)
      .remove()
      .catch((error: unknown) => log.warn({ err: error, network: network.name }, 'a network could not be removed'))
  }

  function leave(runner: RunnerId): void {
    const account = members.get(runner)
    members.delete(runner)
    if (account === undefined || isUsed(account)) return
    clearTimeout(departures.get(account))
    const timer = setTimeout(() => void (isUsed(account) || giveUp(account)), lingerMs)
    departures.set(account, timer.unref())
  }

  return {
    async join(account, runner) {
      const known = networks.get(account)
      const taking = known === undefined ? take(account) : isUsed(account) ? known : known.then(orAnother(account))
      members.set(runner, account)
      clearTimeout(departures.get(account))
      networks.set(account, taking)
      const { name, gateway } = await taking.catch((error: unknown) => {
        members.delete(runner)
        if (networks.get(account) === taking) networks.delete(account)
        throw error
      })
      if (options.engineTidies === true)
        await ensureWalls().catch((error: unknown) => {
          leave(runner)
          throw error
        })
      return { name, ...namesIn(ingress, gateway), dns: options.egress === 'none' ? ['127.0.0.1'] : [] }
    },
    leave,
    async close() {
      departures.forEach((timer) => clearTimeout(timer))
      await Promise.all([...networks.keys()].map(giveUp))
      await removeUnused(docker, installation) // of a former server, whose runners are gone by now
    },
  }
}

function namesIn(ingress: IngressDoor | undefined, gateway: string): Pick<RunnerNetwork, 'hosts' | 'forwarded'> {
  if (ingress === undefined) return { hosts: [], forwarded: [] }
  const { name, insteadOf } = ingress
  const frozen = insteadOf.names.filter((each) => isIP(each) === 0 && each !== 'localhost' && each !== name)
  return { hosts: [`${name}:${gateway}`], forwarded: frozen.map((each) => `${each}:127.0.0.1`) }
}

type Made = Omit<Network, 'door'>

async function create(options: NetworksOptions, account: AccountId): Promise<Made> {
  const { docker, installation, pool, egress } = options
  const bridge = `${bridgePrefix(installation)}${hashed(account).slice(0, 8)}`
  const places = freeSubnets(pool, await takenNetworks(docker), installation + account)
  for (const { subnet, gateway } of places.slice(0, mostTries)) {
    const made = await answered(
      docker.createNetwork({
        Name: `carrick-${bridge.slice(2)}`,
        Driver: 'bridge',
        CheckDuplicate: true,
        EnableIPv6: false,
        IPAM: { Driver: 'default', Config: [{ Subnet: subnet, Gateway: gateway }] },
        Labels: { ...labelsOfInstallation(installation), [accountLabel]: account },
        Options: {
          'com.docker.network.bridge.name': bridge,
          'com.docker.network.bridge.enable_icc': 'false',
          'com.docker.network.bridge.enable_ip_masquerade': egress === 'none' ? 'false' : 'true',
        },
      }),
    ).catch((error: unknown) => {
      if (isOverlap(error)) return undefined // another server took the place meanwhile
      throw error
    })
    if (made !== undefined) return { id: made.id, name: `carrick-${bridge.slice(2)}`, gateway }
  }
  throw new Error(
    `There is no room for one more account's network in ${pool}: give runners more addresses by CARRICK_CONTAINER_NETWORKS`,
  )
}

const mostTries = 32

/** The network of an account that a former server process made. */
async function ours(docker: Dockerode, installation: string, account?: AccountId): Promise<readonly Made[]> {
  const labels = {
    ...labelsOfInstallation(installation),
    ...(account === undefined ? {} : { [accountLabel]: account }),
  }
  const label = [...Object.entries(labels).map(([name, value]) => `${name}=${value}`), accountLabel]
  const found = await answered(docker.listNetworks({ filters: { label } }))
  return found.flatMap(({ Id: id, Name: name, IPAM }) => {
    const gateway = IPAM?.Config?.[0]?.['Gateway']
    return gateway === undefined ? [] : [{ id, name, gateway }]
  })
}

/** The engine keeps what containers run in. */
async function removeUnused(docker: Dockerode, installation: string): Promise<void> {
  const left = await ours(docker, installation)
  await Promise.all(left.map(({ id }) => docker.getNetwork(id).remove().catch(ignore)))
}

const isOverlap = (error: unknown): boolean => error instanceof Error && /overlap/i.test(error.message)
const hashed = (text: string): string => createHash('sha256').update(text).digest('hex')
const ignore = () => undefined
