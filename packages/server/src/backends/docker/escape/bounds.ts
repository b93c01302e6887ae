import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RunnerSpec } from '../../backend.ts'
import { isPodman, type Jail } from './jail.ts'

/** What it may use at most, and what becomes of one that wants more. */
export function bounds(jail: Jail): void {
  const { attempt, tell } = jail

  test('shared memory is its own, and as large as its memory', async () => {
    const found = await attempt(
      "shm = os.statvfs('/dev/shm'); print(shm.f_frsize * shm.f_blocks // 2**20, os.listdir('/dev/shm'))",
    )
    expect(found).toBe("256 ['new']")
  })

  /** How one ends that does this once it serves, and its last words. */
  async function ends(code: string, more?: Partial<RunnerSpec>) {
    const { id, address } = await jail.inhabit(more)
    void tell({ id, address, inside: '' }, code).catch(() => {})
    const { exceeded } = await jail.sighted(id, 'exited')
    return { exceeded, words: jail.said.get(id)?.at(-1), id }
  }

  test('one that forks without end is ended as pids, and the others go on', async ({ skip }) => {
    skip(jail.runtime !== undefined, 'gVisor falls itself when it is refused a process: see the next test')
    skip(jail.lacks('processes') !== undefined, `of processes: ${jail.lacks('processes')}`)
    const { exceeded, words } = await ends(`
while True:
    try:
        if os.fork() == 0:
            import time; time.sleep(1000)
    except OSError: pass`)
    expect(exceeded).toBe('pids')
    expect(words).toContain(`${jail.tasks} processes`)
    expect(await attempt('print(1)')).toBe('1')
  })

  test.skipIf(jail.runtime === undefined)(
    'one that forks without end ends with the kernel that it has, and the others go on (gVisor)',
    async () => {
      const { exceeded } = await ends(`
while True:
    try: os.fork()
    except OSError: pass`)
      // As a program that fails by itself where nobody looked in the moment between.
      expect([undefined, 'pids', 'oom']).toContain(exceeded)
      expect(await attempt('print(1)')).toBe('1')
      expect(await tell(jail.stranger, 'print(2)')).toBe('2')
    },
  )

  test('one that takes all memory is ended as oom, also by way of shared memory', async ({ skip }) => {
    skip(isPodman, 'Podman 4 with runc and control groups v1 does not tell that memory was what it ended for')
    const unbounded = jail.backend.confinement.some(({ part, by }) => part === 'memory' && by === null)
    skip(unbounded, `of memory: ${jail.lacks('memory')}`)
    const { exceeded, words } = await ends(`
held = open('/dev/shm/held', 'wb')
while True: held.write(bytes(2**20))`)
    expect(exceeded).toBe('oom')
    expect(words).toContain('256 MiB of memory')
    expect(await attempt('print(1)')).toBe('1')
  })

  test('one that fills the disk is ended as disk, wherever it writes outside of /data, and nothing of it stays', async () => {
    const { exceeded, words, id } = await ends(`
places = [open(path + '/full', 'wb', 0) for path in ('/tmp', '/var/tmp', '/run', os.environ['HOME'])]
for step in range(40): [place.write(bytes(2**20)) for place in places]
import time; time.sleep(1000)`)
    expect(exceeded).toBe('disk')
    expect(words).toMatch(/wrote more than the 0.0 GiB that it may outside \/data \(CARRICK_SCRATCH_LIMIT\)/)
    await jail.backend.forget(id)
    await expect(stat(join(jail.folder, 'runners', id))).rejects.toThrow('ENOENT')
  })

  test('folders too deep to be measured count as too much, and are taken away', async () => {
    const { exceeded, id } = await ends(`
os.chdir('/tmp')
for step in range(60):
    os.mkdir('d' * 200); os.chdir('d' * 200)
open('hidden', 'w').write('here')
import time; time.sleep(1000)`)
    expect(exceeded).toBe('disk')
    await jail.backend.forget(id)
    await expect(stat(join(jail.folder, 'runners', id))).rejects.toThrow('ENOENT')
  })
}
