import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { expect, test, vi } from 'vitest'
import { ingressName, isRootless, ownAddresses, patience, type Jail } from './jail.ts'

const mayMakeNetworks = process.getuid?.() === 0 && spawnSync('ip', ['netns', 'list']).status === 0

/** Which address whoever runs the suite gives to the machine while it runs. */
const later = process.env['CARRICK_TEST_LATER_ADDRESS']

/** Whom it reaches, and who reaches it. */
export function network(jail: Jail): void {
  const { attempt } = jail

  test('it opens no raw socket and configures no network', async () => {
    const found = await attempt(`
import fcntl, struct
print(tries(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1), tries(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 3))
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(tries(fcntl.ioctl, one.fileno(), 0x8914, struct.pack('16sH22x', b'eth0', 0)))
print(tries(open, '/proc/sys/net/ipv4/ip_forward', 'w'))`)
    // gVisor has no such sockets on a network of the machine's, and no such request.
    expect(found).toMatch(/^(EPERM EPERM\nEPERM|EAFNOSUPPORT EAFNOSUPPORT\nENOTTY)\n(EROFS|EACCES)$/)
  })

  test('the ingress is reached by its name', async () => {
    const found = await attempt(`
import urllib.request
print(urllib.request.urlopen('http://${ingressName}:${jail.ingressPort}/', timeout=10).read().decode())`)
    expect(found).toBe('the ingress')
  })

  test('the control port is not reached, at no address of the machine', async () => {
    if (jail.lacks('network') !== undefined) return expect(jail.lacks('network')).toContain('not refused')
    const { port } = jail.control.address() as AddressInfo
    const own = ownAddresses()
    expect(own.length).toBeGreaterThan(1)
    const reaches = async (addresses: readonly string[]) => {
      const others = [...new Set(addresses)].filter((each) => !/^(127\.|::1)/.test(each))
      const found = await attempt(`for host in ${JSON.stringify(others)}: print(host, connects(host, ${port}))`)
      for (const line of found === '' ? [] : found.split('\n')) expect(line).toMatch(/refused$/)
    }
    // The rules of a rootless engine follow what the machine has, and others make bridges here meanwhile.
    const isNew = (each: string) => isRootless && !jail.atStart.includes(each)
    await reaches([...own.filter((each) => !isNew(each)), jail.gateway])
    await vi.waitFor(() => reaches(own.filter(isNew)), patience)
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200) // it is there
  })

  test.skipIf(later === undefined)(
    `an address that the machine gets later is not reached either (${later ?? 'nobody gives it one'})`,
    async () => {
      const { port } = jail.control.address() as AddressInfo
      await vi.waitFor(() => expect(ownAddresses()).toContain(later), patience)
      const reached = () => attempt(`print(connects('${later}', ${port}))`)
      await vi.waitFor(async () => expect(await reached()).toBe('refused'), patience)
      expect((await fetch(`http://${later}:${port}/`)).status).toBe(200) // it is there
    },
  )

  test('nothing else of the machine is reached at the gateway: no other port, and no published one', async () => {
    const ports = [22, 53, 80, 443, 2375, 2376, 5000, 8080, 8700, jail.tenant.address.port, jail.stranger.address.port]
    const found = await attempt(
      `print([port for port in ${JSON.stringify(ports)} if connects('${jail.gateway}', port) == 'connected'])`,
    )
    expect(found).toBe('[]')
  })

  test('the address where clouds tell keys is not reached, nor anything else of the link', async () => {
    if (jail.lacks('network') !== undefined) return expect(jail.lacks('network')).toContain('169.254.0.0/16')
    const found = await attempt(`
print([connects('169.254.169.254', port) for port in (80, 443, 8080)], connects('fd00:ec2::254', 80))`)
    expect(found).toBe("['refused', 'refused', 'refused'] refused")
  })

  test('no other runner is reached, of its own account or of another', async () => {
    const here = await attempt(`print(connects('127.0.0.1', 8080), connects('${jail.tenant.inside}', 8080))`)
    expect(here).toBe('connected connected')
    const found = await attempt(
      `print(connects('${jail.sibling.inside}', 8080), connects('${jail.stranger.inside}', 8080))`,
    )
    expect(found).toBe('refused refused')
    expect(jail.sibling.inside.split('.').slice(0, 2)).not.toEqual([])
  })

  test.skipIf(!mayMakeNetworks)(
    `another machine reaches no runner past the platform's doors (${mayMakeNetworks ? 'a network namespace is one' : 'no network namespace can be made here'})`,
    () => {
      const name = `cw${randomUUID().slice(0, 6)}`
      const ip = (...args: string[]) => expect(spawnSync('ip', args, { encoding: 'utf8' }).stderr).toBe('')
      const inside = (...args: string[]) => spawnSync('ip', ['netns', 'exec', name, ...args], { encoding: 'utf8' })
      ip('netns', 'add', name)
      try {
        ip('link', 'add', `${name}a`, 'type', 'veth', 'peer', 'name', `${name}b`, 'netns', name)
        ip('addr', 'add', '10.219.99.1/24', 'dev', `${name}a`)
        ip('link', 'set', `${name}a`, 'up')
        for (const args of [
          ['addr', 'add', '10.219.99.2/24', 'dev', `${name}b`],
          ['link', 'set', `${name}b`, 'up'],
          ['route', 'add', `${jail.tenant.inside}/32`, 'via', '10.219.99.1'],
        ])
          ip('-n', name, ...args)
        const reach = `import socket; socket.create_connection(('${jail.tenant.inside}', 8080), 3)`
        expect(inside('python3', '-c', reach).stderr).toMatch(/Error/)
      } finally {
        spawnSync('ip', ['netns', 'del', name])
        spawnSync('ip', ['link', 'del', `${name}a`])
      }
    },
  )

  test('it has no IPv6 of its own', async () => {
    expect(await attempt("print(repr(open('/proc/net/if_inet6').read()))")).toBe("''")
  })

  test('its port is published on loopback only', async () => {
    const { NetworkSettings } = await jail.engine.docker.getContainer(`carrick-${jail.tenant.id}`).inspect()
    expect(
      Object.values(NetworkSettings.Ports)
        .flat()
        .map(({ HostIp }) => HostIp),
    ).toEqual(['127.0.0.1'])
  })
}
