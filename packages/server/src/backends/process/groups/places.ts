import { join, relative } from 'node:path'

/** A mounted hierarchy of control groups, and the group in it that this process is in. */
export interface Hierarchy {
  readonly version: 1 | 2
  /** Of version 1, the controllers that it is for; of version 2 none, for a group's own file tells. */
  readonly controllers: readonly string[]
  /** The folder of our own group. */
  readonly own: string
}

/** What the kernel tells of them in /proc/self/mountinfo and /proc/self/cgroup. A group outside what is mounted is none. */
export function hierarchiesIn(mountinfo: string, membership: string): readonly Hierarchy[] {
  const groups = membership.split('\n').map((line) => line.split(':'))
  return mountinfo.split('\n').flatMap((line): Hierarchy[] => {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root, point] = before.split(' ')
    const [type, , options = ''] = after.split(' ')
    if (!root || !point || (type !== 'cgroup' && type !== 'cgroup2')) return []
    const version = type === 'cgroup' ? 1 : 2
    const words = options.split(',')
    const group = groups.find(([id, names = '']) =>
      version === 2 ? id === '0' : names !== '' && names.split(',').every((name) => words.includes(name)),
    )
    if (!group) return []
    const path = relative(root, group.slice(2).join(':'))
    if (path.startsWith('..')) return []
    return [{ version, controllers: version === 2 ? [] : (group[1]?.split(',') ?? []), own: join(point, path) }]
  })
}
