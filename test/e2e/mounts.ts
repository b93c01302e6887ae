import { spawnSync } from 'node:child_process'

const user = process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user']

/** Whether runners can have folders of their own here: it takes root, or user namespaces. */
export const mayMount = spawnSync('unshare', [...user, '--mount', 'mount', '--bind', '/proc', '/proc']).status === 0
