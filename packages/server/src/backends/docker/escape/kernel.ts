import { expect, test } from 'vitest'
import { isPodman, type Jail } from './jail.ts'

/** What the machine's kernel could do for it, and what it could learn of the machine. */
export function kernel(jail: Jail): void {
  const { attempt } = jail

  test('the kernel refuses it keyrings, modules, programs, traces, clocks, handles of files, swap and a restart', async ({
    skip,
  }) => {
    skip(isPodman, "Podman's filter of system calls lets a program have keyrings")
    const names = ['keyctl', 'bpf', 'perf_event_open', 'init_module', 'kexec_load', 'open_by_handle_at', 'userfaultfd']
    const found = await attempt(`
print(system('add_key', b'user', b'name', b'value', 5, -4))
for name in ${JSON.stringify([...names, 'clock_settime', 'swapon', 'reboot', 'acct'])}: print(name, system(name, 0, 0, 0, 0, 0))`)
    for (const line of found.split('\n')) expect(line).toMatch(/EPERM|EACCES|ENOSYS|ENODEV|ENOTSUP/)
  })

  test('what older engines leave open is known: sockets of the hypervisor, and io_uring', async () => {
    const isOld = Number(jail.engine.facts.api.split('.')[1]) < 43
    const found = await attempt(`
def socket_of(family): socket.socket(family, socket.SOCK_STREAM).close(); return 'open'
print(tries(socket_of, 40), system('io_uring_setup', 1, None))`)
    if (isOld) expect(found).toMatch(/^(open|EAFNOSUPPORT) (EFAULT|EPERM|ENOSYS)$/)
    else expect(found).toMatch(/^(EPERM|EAFNOSUPPORT) (EPERM|ENOSYS)$/)
  })

  test('it sees its own processes, and can trace or signal no other', async () => {
    const found = await attempt(`
import re
own = sorted(int(name) for name in os.listdir('/proc') if name.isdigit())
print(len(own) < 20, own[0], tries(os.kill, ${process.pid}, 0) if ${process.pid} not in own else 'ESRCH')
print(calls('ptrace', 16, ${process.pid}, 0, 0) if ${process.pid} not in own else 'ESRCH')
print(any('${process.execPath}' in os.readlink('/proc/%d/exe' % pid) for pid in own if os.access('/proc/%d/exe' % pid, 4)))`)
    expect(found.split('\n')).toEqual(['True 1 ESRCH', 'ESRCH', 'False'])
  })

  // The device of gVisor's own kernel leads to that alone.
  test('its devices are those that every program has, and it makes none', async () => {
    const found = await attempt(`
known = {'core', 'fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero', 'console'}${jail.ofKernel('', " | {'fuse'}")}
print(sorted(set(os.listdir('/dev')) - known), tries(os.mknod, '/tmp/disk', 0o60600, os.makedev(8, 0)))
print([path for path in ('/dev/mem', '/dev/kmsg', '/dev/sda', ${jail.ofKernel("'/dev/fuse', ", '')}'/dev/kvm') if os.path.exists(path)])`)
    expect(found).toBe('[] EPERM\n[]')
  })

  test('what the machine tells about itself and its devices is masked', async () => {
    const found = await attempt(`
def size(path):
    try: return len(open(path, 'rb').read(100))
    except OSError: return 0
print(sum(size(path) for path in ('/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug')))
print(os.listdir('/sys/firmware') if os.path.exists('/sys/firmware') else [])`)
    expect(found).toBe('0\n[]')
  })

  test('files that dump core are written by nobody', async () => {
    expect(await attempt('import resource; print(resource.getrlimit(resource.RLIMIT_CORE))')).toBe('(0, 0)')
  })

  test('the groups that bound it can be read at most', async () => {
    const found = await attempt(`
import glob
writable = [path for path in glob.glob('/sys/fs/cgroup/**', recursive=True) if os.access(path, os.W_OK)]
print(writable, tries(open, '/sys/fs/cgroup/memory/memory.limit_in_bytes', 'w') in ('EROFS', 'EACCES', 'ENOENT'))`)
    expect(found).toBe('[] True')
  })
}
