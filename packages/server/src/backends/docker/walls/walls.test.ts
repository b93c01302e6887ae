import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Limits } from '../../backend.ts'
import { chainsOf, rulesIPv4, rulesIPv6 } from '../network/firewall-rules.ts'
import { boundsOnceServing, hostConfigOf, variablesOf, type Walled } from './host-config.ts'
import { freeSubnets } from '../network/addresses.ts'
import { routesIn } from '../network/taken.ts'
import { confinementOf, wallFacts } from './confinement.ts'
import { checkStandard, hasOwnKernel, runtimeOf } from './runtime.ts'
import { uidOf } from './image.ts'
import { sizeOf } from './size.ts'
import { userOf } from './user.ts'

const walled: Walled = {
  spec: {
    mounts: [{ from: '/srv/data/account', to: '/data', readOnly: false }],
    sees: ['/srv/bundle.pem'],
    leaves: [],
  },
  user: { user: '1:1', groups: ['0'] },
  network: { name: 'carrick-1', hosts: ['ingress.carrick.internal:10.0.0.1'], dns: [] },
  pinned: new Map(),
  scratch: [{ from: '/srv/runner/tmp', to: '/tmp', readOnly: false }],
  shared: ['/models'],
  ports: [8080],
  init: true,
  tasks: 100,
  runtime: undefined,
  gpus: 'request',
}
const limits: Limits = { cpus: 0.5, memoryBytes: 2 ** 30, gpus: [], machineType: 'S' }
const withLimits = (more: Partial<Limits>) =>
  hostConfigOf({ ...walled, spec: { ...walled.spec, limits: { ...limits, ...more } } })

test('no container is given rights, a writable root, another namespace or an address that others reach', () => {
  expect(hostConfigOf(walled)).toMatchObject({
    Privileged: false,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    ReadonlyRootfs: true,
    IpcMode: 'private',
    NetworkMode: 'carrick-1',
    PortBindings: { '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
    PidsLimit: 100,
  })
  for (const more of ['CapAdd', 'Devices', 'PidMode', 'UTSMode', 'UsernsMode', 'CgroupParent', 'VolumesFrom', 'Binds'])
    expect(hostConfigOf(walled)).not.toHaveProperty(more)
})

test('only what a runner may write to is writable', () => {
  const mounts = hostConfigOf(walled).Mounts?.map(({ Target, ReadOnly }) => [Target, ReadOnly])
  expect(Object.fromEntries(mounts ?? [])).toEqual({
    '/tmp': false,
    '/models': false,
    '/data': false,
    '/srv/bundle.pem': true,
  })
})

test('what the operator or the platform puts at a place is there, whatever an image wants there', () => {
  const scratch = ['/tmp', '/data', '/models'].map((to) => ({ from: `/srv/own${to}`, to, readOnly: false }))
  const mounts = hostConfigOf({ ...walled, scratch }).Mounts?.map(({ Source, Target }) => [Target, Source]) ?? []
  expect(Object.fromEntries(mounts)).toMatchObject({
    '/tmp': '/srv/own/tmp',
    '/data': '/srv/data/account',
    '/models': '/models',
  })
  expect(mounts).toHaveLength(4)
})

test('memory is bounded with what is in shared memory, and without swap', () => {
  expect(withLimits({})).toMatchObject({ Memory: 2 ** 30, MemorySwap: 2 ** 30, ShmSize: 2 ** 30 })
})

test('a start weighs an eighth and has no quota; a runner that serves has its whole share and a hard bound', () => {
  expect(withLimits({})).toMatchObject({ CpuShares: 64 })
  expect(withLimits({})).not.toHaveProperty('CpuQuota')
  expect(boundsOnceServing(limits, true)).toEqual({ CpuShares: 512, CpuPeriod: 100_000, CpuQuota: 50_000 })
  expect(boundsOnceServing(limits, false)).toEqual({ CpuShares: 512 })
})

test('GPUs are asked for by index, by CDI where the engine has it, and counted from 0 inside', () => {
  expect(withLimits({ gpus: [2, 5] }).DeviceRequests).toEqual([
    { Driver: '', DeviceIDs: ['2', '5'], Capabilities: [['gpu']] },
  ])
  const spec = { ...walled.spec, limits: { ...limits, gpus: [2, 5] } }
  expect(hostConfigOf({ ...walled, spec, gpus: 'cdi' }).DeviceRequests).toEqual([
    { Driver: 'cdi', DeviceIDs: ['nvidia.com/gpu=2', 'nvidia.com/gpu=5'] },
  ])
  expect(variablesOf(spec, walled.user, '/home')).toMatchObject({ CUDA_VISIBLE_DEVICES: '0,1' })
})

test('a runner without GPUs gets none, also from an image that asks for all', () => {
  expect(withLimits({}).DeviceRequests).toEqual([])
  expect(variablesOf({ limits }, walled.user, '/home')).toMatchObject({ NVIDIA_VISIBLE_DEVICES: 'void' })
})

test.each([
  ['an image without a user under a server that is root', '', 0, false, 'own'],
  ['an image with a user under a server that is root', '1000', 0, false, undefined],
  ['an image with a user under another server', 'app', 1_000, false, '1000:1000'],
  ['an image without a user under another server', '', 1_000, false, '1000:1000'],
  ['a rootless engine', '', 1_000, true, '0:0'],
])('%s is run by the right user', (_, imageUser, uid, rootless, expected) => {
  const { user } = userOf({ accountId: 'a', imageUser, server: { uid, gid: uid }, rootless })
  if (expected === 'own') expect(Number(user?.split(':')[0])).toBeGreaterThanOrEqual(0x70_00_00_00)
  else expect(user).toBe(expected)
})

const users = `root:x:0:0::/root:/bin/sh
toor:x:0:0::/root:/bin/sh
1000:x:0:0::/:/bin/sh
app:x:1001:1001::/home/app:/bin/sh
broken`

test.each([
  ['root:root', 0],
  ['0:0', 0],
  ['00', 0],
  ['+0', 0],
  ['toor', 0],
  ['1000', 0],
  ['nobody-there', 0],
  ['broken', 0],
  ['app', 1001],
  ['app:0', 1001],
  ['1001', 1001],
  ['1002:5', 1002],
])('the USER %s of an image is %i, whatever it is called', (user, expected) => {
  expect(uidOf(user, users)).toBe(expected)
})

test('two accounts are two users', () => {
  const of = (accountId: string) => userOf({ accountId, imageUser: '', server: { uid: 0, gid: 0 }, rootless: false })
  expect(of('one').user).not.toBe(of('two').user)
  expect(of('one')).toEqual(of('one'))
})

const rules = { prefix: 'cr12345', pool: '10.212.0.0/14', ingressPort: 4_000, egress: 'open', resolvers: [] } as const

test('of the machine only the ingress is accepted, and the last rule refuses', () => {
  const { toMachine } = chainsOf(rules)
  const lines = rulesIPv4(rules)
    .split('\n')
    .filter((line) => line.startsWith(`-A ${toMachine}`))
  expect(lines).toEqual([
    `-A ${toMachine} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`,
    `-A ${toMachine} -d 10.212.0.0/14 -p tcp --dport 4000 -j ACCEPT`,
    `-A ${toMachine} -p tcp -j REJECT --reject-with tcp-reset`,
    `-A ${toMachine} -j REJECT`,
  ])
})

test('the metadata address and our other bridges are refused before anything is let through', () => {
  const text = rulesIPv4({ ...rules, resolvers: ['169.254.169.253'] })
  expect(text).toContain('-o cr12345+ -j REJECT')
  expect(text).toContain('-d 169.254.0.0/16 -j REJECT')
  expect(text.indexOf('-d 169.254.169.253 -p udp --dport 53')).toBeLessThan(text.indexOf('-d 169.254.0.0/16 -j REJECT'))
})

test('no way out is the last word, also for names; the public internet is what is left of all others', () => {
  const none = rulesIPv4({ ...rules, egress: 'none', resolvers: ['10.1.1.1'] })
  const through = none.split('\n').filter((line) => line.startsWith(`-A ${chainsOf(rules).through}`))
  expect(through.at(-1)).toBe(`-A ${chainsOf(rules).through} -j REJECT`)
  expect(none).not.toContain('10.1.1.1')
  expect(rulesIPv4({ ...rules, egress: 'public' })).toContain('-d 192.168.0.0/16 -j REJECT')
  expect(rulesIPv4({ ...rules, machine: ['192.0.2.2'] })).toContain('-OUT -d 192.0.2.2 -j REJECT')
})

test('into our bridges come answers alone', () => {
  const { into } = chainsOf(rules)
  const lines = rulesIPv4(rules)
    .split('\n')
    .filter((line) => line.startsWith(`-A ${into}`))
  expect(lines[0]).toContain('ESTABLISHED,RELATED -j RETURN')
  expect(lines.slice(1).every((line) => line.includes('-j REJECT'))).toBe(true)
})

test('IPv6 is refused whole', () => {
  expect(rulesIPv6(rules).match(/-j REJECT/g)).toHaveLength(6)
})

test('a network is where nothing else is, at the same place each time', () => {
  const [first] = freeSubnets('10.212.0.0/14', [], 'seed')
  expect(freeSubnets('10.212.0.0/14', ['0.0.0.0/0', '10.0.0.0/24'], 'seed')[0]).toEqual(first)
  const [second] = freeSubnets('10.212.0.0/14', [first?.subnet ?? ''], 'seed')
  expect(second).not.toEqual(first)
  expect(freeSubnets('10.212.0.0/14', ['10.208.0.0/12'], 'seed')).toEqual([])
  expect(freeSubnets('10.212.0.0/14', ['fe80::1/64'], 'seed')).toHaveLength(256)
  expect(first?.gateway).toMatch(/^10\.21[2-5]\.\d+\.1$/)
})

test('a pool that is no network is refused by name', () => {
  expect(() => freeSubnets('10.0.0.0', [], 'seed')).toThrow(/CARRICK_CONTAINER_NETWORKS is "10.0.0.0"/)
})

test("the kernel's routes are read, but for the way out", () => {
  const table = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0',
  ]
  expect(routesIn(table.join('\n'))).toEqual(['172.17.0.0/16'])
})

test('an app chooses among the runtimes that its operator lists, and no other', () => {
  const choice = { known: ['runc', 'runsc'], standard: 'runsc', allowed: ['kata'] }
  expect(runtimeOf(undefined, choice)).toBe('runsc')
  expect(runtimeOf(undefined, { ...choice, standard: '' })).toBeUndefined()
  expect(() => runtimeOf('runc', choice)).toThrow('"runc" (annotation carrick.runtime) is not among those')
  expect(() => runtimeOf('kata', choice)).toThrow('no runtime "kata" (annotation carrick.runtime), but runc, runsc')
  expect(() => checkStandard({ ...choice, standard: 'kata' })).toThrow('CARRICK_CONTAINER_RUNTIME is "kata"')
})

test('the sockets of gVisor and Kata are looked for by connecting, those of others in the kernel', () => {
  expect(['runsc', 'kata', 'kata-runtime', 'mine'].filter(hasOwnKernel)).toHaveLength(4)
  expect([undefined, '', 'runc', 'crun', 'nvidia'].filter(hasOwnKernel)).toEqual([])
})

test('what the engine cannot do is named', () => {
  const facts = wallFacts({ CgroupVersion: '2', MemoryLimit: true, SwapLimit: false, SecurityOptions: null })
  const parts = confinementOf(facts, { firewall: 'it is not root', runtime: '' })
  const of = (name: string) => parts.find(({ part }) => part === name)
  expect(of('memory')).toEqual({ part: 'memory', by: 'cgroup v2', why: expect.stringContaining('swap') })
  expect(of('processes')?.by).toBeNull()
  expect(of('system calls')?.why).toContain('no seccomp filter')
  expect(of('network')?.why).toMatch(/169.254.*it is not root.*br_netfilter/)
})

test('a folder is measured with all in it, following no link, and no further than it has to be', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-size-'))
  await mkdir(join(folder, 'deep', 'deeper'), { recursive: true })
  await writeFile(join(folder, 'deep', 'deeper', 'file'), Buffer.alloc(1_000_000))
  await symlink('/usr', join(folder, 'elsewhere'))
  const { signal } = new AbortController()
  const bytes = await sizeOf(folder, Infinity, signal)
  expect(bytes).toBeGreaterThan(1_000_000)
  expect(bytes).toBeLessThan(1_100_000)
  expect(await sizeOf(folder, 5_000, signal)).toBeLessThan(bytes)
  expect(await sizeOf(join(folder, 'gone'), 5_000, signal)).toBe(0)
  await rm(folder, { recursive: true })
})
