import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isPodman, isRootless, type Jail } from './jail.ts'

const isRoot = process.getuid?.() === 0

/** Privileges it could have, or gain. */
export function privileges(jail: Jail): void {
  const { attempt, tell } = jail

  test('it has no capability, can get none, and system calls to the machine are filtered', async () => {
    const status = await attempt(`
print(open('/proc/self/status').read(), 'privileges', libc.prctl(39, 0, 0, 0, 0))
print('ambient', [each for each in range(41) if libc.prctl(47, 1, each, 0, 0) > 0])`)
    for (const kind of ['Inh', 'Prm', 'Eff', 'Bnd']) expect(status).toMatch(new RegExp(`Cap${kind}:\\t0{16}\n`))
    expect(status).toMatch(/ privileges 1\nambient \[\]$/)
    expect(jail.ofKernel(status, await jail.kernelsOwn())).toMatch(/^Seccomp:\t2$/m)
  })

  test('it is not root, cannot become root, and programs with the setuid bit run as it', async ({ skip }) => {
    skip(isRootless, 'a rootless engine: its root is the user who runs the server, and no more than that')
    const found = await attempt(`
print(os.getuid() > 0, os.geteuid() > 0, tries(os.setuid, 0), tries(os.setgid, 12345), tries(os.setgroups, [42]))
import subprocess
print(subprocess.run(['/bin/su', '-c', 'id -u'], capture_output=True, stdin=subprocess.DEVNULL).stdout)
print(tries(os.chown, '/tmp', 0, 0))`)
    expect(found.split('\n')).toEqual(['True True EPERM EPERM EPERM', "b''", 'EPERM'])
  })

  test.skipIf(!isRootless)(
    `it is the user outside who runs the server (${isRootless ? 'a rootless engine' : 'the engine is not rootless'})`,
    async () => {
      const { State } = await jail.engine.docker.getContainer(`carrick-${jail.tenant.id}`).inspect()
      const { uid } = await stat(`/proc/${State.Pid}`)
      expect([uid, await attempt('print(tries(os.setuid, 1), tries(os.setgid, 1))')]).toEqual([
        process.getuid?.(),
        'EPERM EPERM',
      ])
    },
  )

  test('it mounts nothing, has its root nowhere else, and joins no namespace', async () => {
    const found = await attempt(`
print(system('mount', b'none', b'/tmp', b'tmpfs', 0, None), system('pivot_root', b'/tmp', b'/tmp'))
print(system('setns', os.open('/proc/1/ns/mnt', 0), 0) if os.access('/proc/1/ns/mnt', 4) else 'EPERM')
print(tries(os.chroot, '/tmp'))`)
    expect(found).toBe('EPERM EPERM\nEPERM\nEPERM')
  })

  test('it makes no namespace, not even one of a user', async ({ skip }) => {
    skip(isPodman, "Podman's filter of system calls lets a program have namespaces of users")
    skip(
      jail.runtime !== undefined,
      "gVisor's kernel lets a program have namespaces of users, which are in that kernel alone",
    )
    const found = await attempt(
      `print([system('unshare', flag) for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000)])`,
    )
    expect(found).toBe("['EPERM', 'EPERM', 'EPERM', 'EPERM']")
  })

  test.skipIf(!isRoot)(
    `each account is a user of its own outside, too (${isRoot ? 'here' : 'the server is not root, so runners are its user'})`,
    async () => {
      const [one, two, three] = await Promise.all(
        [jail.tenant, jail.sibling, jail.stranger].map((each) => tell(each, 'print(os.getuid())')),
      )
      expect(two).toBe(one)
      expect(three).not.toBe(one)
      expect((await stat(join(jail.folder, 'data/account'))).uid).toBe(Number(one))
    },
  )
}
