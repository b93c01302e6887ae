import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silent } from '../../../kit/logger.ts'
import { openEngine, type Engine } from '../engine/engine.ts'
import { openFirewall } from './firewall.ts'
import { bridgePrefix, openNetworks, type Networks } from './network.ts'

let engine: Engine
let installation: string
/** Addresses at which the ingress listens. */
let listening: string[]
let networks: Networks
const pool = '10.216.0.0/16'

beforeEach(async () => {
  engine = await openEngine()
  installation = randomUUID()
  listening = []
  networks = await open()
})
afterEach(() => networks.close())

const open = (firewall = { ensure: async () => {} }, engineTidies = false) =>
  openNetworks({
    engineTidies,
    docker: engine.docker,
    installation,
    pool,
    egress: 'open',
    firewall,
    log: silent,
    ingress: {
      name: 'carrick.internal',
      port: 4_000,
      insteadOf: { port: 8_700, names: ['localhost', '127.0.0.1', 'fal.example.com'] },
      async listenAt(address) {
        listening.push(address)
        return { [Symbol.asyncDispose]: async () => void listening.splice(listening.indexOf(address), 1) }
      },
    },
  })

const there = async () => {
  const filters = { label: [`carrick.installation=${installation}`] }
  return (await engine.docker.listNetworks({ filters })).map(({ Name, EnableIPv6, Options }) => ({
    Name,
    EnableIPv6,
    Options,
  }))
}

test('the runners of an account share a network, those of two have two, and the ingress listens in each', async () => {
  const [one, two] = await Promise.all([networks.join('a', 'one'), networks.join('a', 'two')])
  expect(two).toEqual(one)
  const three = await networks.join('b', 'three')
  expect(three.name).not.toBe(one.name)
  expect(one.hosts).toEqual([`carrick.internal:${listening[0]}`])
  expect(one.forwarded).toEqual(['fal.example.com:127.0.0.1'])
  expect(listening).toHaveLength(2)
  const made = await there()
  expect(made).toHaveLength(2)
  for (const { EnableIPv6, Options } of made) {
    expect(EnableIPv6).toBe(false)
    expect(Options?.['com.docker.network.bridge.enable_icc']).toBe('false')
    expect(Options?.['com.docker.network.bridge.name']).toMatch(new RegExp(`^${bridgePrefix(installation)}.{8}$`))
  }
})

test('networks go with the server, and a next one removes what a killed one left', async () => {
  await networks.join('a', 'one')
  const next = await open()
  expect(await there()).toEqual([])
  await next.join('a', 'one')
  expect(await there()).toHaveLength(1)
  await next.close()
  expect(await there()).toEqual([])
})

test('a network that somebody tidied away while nobody used it is made again', async () => {
  const { name } = await networks.join('a', 'one')
  networks.leave('one')
  await engine.docker.getNetwork(name).remove()
  expect((await networks.join('a', 'two')).name).toBe(name)
  expect(await there()).toHaveLength(1)
  expect(listening).toHaveLength(1)
})

test('where the addresses are used up, that is said with what to do', async () => {
  await networks.close()
  networks = await openNetworks({
    docker: engine.docker,
    installation,
    pool: '10.216.4.0/22',
    egress: 'open',
    firewall: { ensure: async () => {} },
    log: silent,
    ingress: undefined,
  })
  await networks.join('a', 'one')
  await expect(networks.join('b', 'two')).rejects.toThrow("no room for one more account's network in 10.216.4.0/22")
})

test('no runner comes onto a network whose walls could not be put up; the next one tries again', async () => {
  await networks.close()
  let refuses = true
  const ensure = async () => {
    if (refuses) throw new Error('`iptables` refuses: another app holds the lock')
  }
  networks = await open({ ensure })
  await expect(networks.join('a', 'one')).rejects.toThrow(
    "the machine's firewall does not take the rules about what runners may reach (`iptables` refuses: another app holds the lock): no runner is started without them",
  )
  expect(listening).toEqual([])
  refuses = false
  await networks.join('a', 'two')
  expect(await there()).toHaveLength(1)
})

test('where the engine takes walls away, they are looked at for each runner, and one that is refused harms no other', async () => {
  await networks.close()
  let refuses = false
  let looked = 0
  const ensure = async () => {
    looked += 1
    if (refuses) throw new Error('another app holds the lock')
  }
  networks = await open({ ensure }, true)
  await networks.join('a', 'one')
  const before = looked
  refuses = true
  await expect(networks.join('a', 'two')).rejects.toThrow('no runner is started without them')
  expect(looked).toBe(before + 1)
  refuses = false
  await networks.join('a', 'three')
  expect(looked).toBe(before + 2)
  expect([await there(), listening]).toEqual([[expect.anything()], [expect.anything()]])
})

const rules = () => spawnSync('iptables', ['-S'], { encoding: 'utf8' }).stdout.split('\n')
const firewallOf = (name: string, asked: readonly string[] = []) =>
  openFirewall({ prefix: bridgePrefix(name), pool, ingressPort: 4_000, egress: 'open', resolvers: [], asked })
const probe = await firewallOf('probe')
await probe.close()

test.skipIf(probe.why !== undefined)(
  `rules of the firewall are set once, put back when they are gone, and leave nothing (${probe.why ?? 'here'})`,
  async () => {
    const ours = () =>
      rules().filter((rule) => rule.toUpperCase().includes(bridgePrefix(installation).slice(2).toUpperCase()))
    const firewall = await firewallOf(installation)
    const set = ours()
    expect(set.length).toBeGreaterThan(10)
    await firewall.ensure()
    expect(ours()).toEqual(set)
    const jump =
      set
        .find((rule) => rule.startsWith('-A INPUT'))
        ?.split(' ')
        .slice(1) ?? []
    spawnSync('iptables', ['--wait', '10', '-D', ...jump])
    expect(ours()).toHaveLength(set.length - 1)
    await firewall.ensure()
    expect(ours().toSorted()).toEqual(set.toSorted())
    await firewall.close()
    expect(ours()).toEqual([])
  },
)

test.skipIf(probe.why !== undefined)(
  `a chain that an engine asks before its own is made where it is not there yet, has the rules too, and is left without them (${probe.why ?? 'here'})`,
  async () => {
    const chain = `CE-TEST-${randomUUID().slice(0, 8)}`
    const inChain = () => rules().filter((rule) => rule.startsWith(`-A ${chain} `))
    const firewall = await firewallOf(installation, [chain])
    expect(inChain().map((rule) => /-[io] \S+ -j CARRICK-\S+-(OUT|TO)$/.exec(rule)?.[1])).toEqual(['OUT', 'TO'])
    await firewall.ensure()
    expect(inChain()).toHaveLength(2)
    await firewall.close()
    expect(inChain()).toEqual([])
    expect(rules()).toContain(`-N ${chain}`)
    for (const program of ['iptables', 'ip6tables']) spawnSync(program, ['--wait', '10', '-X', chain])
  },
)
