import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { secret, type Jail } from './jail.ts'

/** Files that are not its own, and those that are. */
export function files(jail: Jail): void {
  const { attempt, tell } = jail

  test('its root cannot be written to, nor what the kernel shows below /proc and /sys', async () => {
    const places = [
      '/x',
      '/usr/x',
      '/etc/passwd',
      '/bin/x',
      '/proc/sys/kernel/core_pattern',
      '/proc/sysrq-trigger',
      '/sys/x',
    ]
    const found = await attempt(`
for path in ${JSON.stringify(places)}: print(tries(open, path, 'a'))`)
    for (const word of found.split('\n')) expect(['EROFS', 'EACCES', 'EPERM', 'ENOENT']).toContain(word)
  })

  test("the data folder, other accounts' files and the engine's socket are not there", async () => {
    const socketPath = jail.engine.host.replace('unix://', '')
    const paths = [
      join(jail.folder, 'secret.key'),
      join(jail.folder, 'data'),
      socketPath,
      '/var/run/docker.sock',
      '/run/docker.sock',
    ]
    const found = await attempt(`
print([path for path in ${JSON.stringify(paths)} if os.path.exists(path)])
print(sorted(os.listdir('${jail.folder}')), sorted(os.listdir('${jail.folder}/runners')))
print(tries(os.listdir, '${jail.folder}/runners/${jail.sibling.id}'), tries(os.listdir, '/data/../data/../stranger'))`)
    expect(found.split('\n')).toEqual([
      '[]',
      `['blob', 'leaves', 'runners', 'shared'] ['${jail.tenant.id}']`,
      'ENOENT ENOENT',
    ])
  })

  test("nothing of the server's environment is known to it", async () => {
    const found = await attempt(`
import glob
print(any(b'${secret}' in open(path, 'rb').read() for path in glob.glob('/proc/[0-9]*/environ') if os.access(path, 4)))
print(sorted(name for name in os.environ if name.startswith(('CARRICK_TEST', 'DOCKER'))))`)
    expect(found).toBe('False\n[]')
  })

  test('it reads what it is given, and writes to /data, /tmp, its folder and what it leaves, as the server sees', async () => {
    const found = await attempt(`
print(open('${jail.folder}/blob').read(), tries(open, '${jail.folder}/blob', 'a'), open('/data/theirs').read())
for path in ('/data/new', '/tmp/new', '/var/tmp/new', '/dev/shm/new', '/run/new', os.environ['HOME'] + '/new', '${jail.folder}/leaves/one/new', '${jail.folder}/shared/new'):
    open(path, 'w').write('by the app')
open('/data/theirs', 'a').write(' and the app')
os.mkdir('/data/folder')
print(os.getcwd() == os.environ['HOME'], os.path.expanduser('~') == os.environ['HOME'])`)
    expect(found).toMatch(/^its code (EROFS|EACCES) written by the server\nTrue True$/)
    expect(await readFile(join(jail.folder, 'data/account/new'), 'utf8')).toBe('by the app')
    expect(await readFile(join(jail.folder, 'data/account/theirs'), 'utf8')).toBe('written by the server and the app')
    expect(await readFile(join(jail.folder, 'leaves/one/new'), 'utf8')).toBe('by the app')
    expect(await tell(jail.stranger, `print(open('${jail.folder}/shared/new').read())`)).toBe('by the app') // it is for all
  })
}
