import { execFile } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Paths that may be a runner's own. What the platform itself needs may not lie below them. */
const ownPaths = ['/data', '/app']

/**
 * Why a runner can have no mounts of its own, as half a sentence; undefined when it can. Asked once, by trying what the
 * bootstrap does: a mount in a namespace, which root may make, and others in a user namespace where the kernel allows it.
 */
export async function whyNoMounts(needed: readonly string[]): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'only Linux has mount namespaces'
  return (await hiddenBy(needed)) ?? whyNoNamespace()
}

async function hiddenBy(needed: readonly string[]): Promise<string | undefined> {
  for (const path of needed) {
    const real = await realpath(path).catch(() => path)
    const own = ownPaths.find((each) => real === each || real.startsWith(`${each}/`))
    if (own) return `${real}, which runners need, lies below ${own}`
  }
  return undefined
}

async function whyNoNamespace(): Promise<string | undefined> {
  const user = process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const args = [...user, '--mount', 'mount', '--bind', '/proc', '/proc']
  try {
    await promisify(execFile)('unshare', args, { timeout: 10_000, env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' } })
    return undefined
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string }
    if (code === 'ENOENT') return "the program `unshare` (util-linux), which tells whether they may, isn't there"
    return `this machine lets them make no mount namespace (${stderr?.trim().split('\n').at(-1) ?? 'unshare failed'})`
  }
}
