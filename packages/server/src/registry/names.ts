import { sharedOwner } from '../domain/image-names.ts'
import type { Login } from './access.ts'
import type { ImageRegistry } from './image-registry.ts'

/** How a registry names its images, `host` being all that stands before a repository, and who may log in. */
export function namedBy(
  host: string,
  login: () => Login | undefined,
): Pick<ImageRegistry, 'host' | 'nameFor' | 'referenceOf' | 'authFor'> {
  const serveraddress = host.split('/', 1)[0] ?? host
  return {
    host: () => host,
    nameFor: (owner, name) => `${owner ?? sharedOwner}/${fitting(name)}`,
    referenceOf: (stored) => `${host}/${stored}`,
    authFor(reference) {
      const found = login()
      return reference.startsWith(`${host}/`) && found !== undefined ? { ...found, serveraddress } : undefined
    },
  }
}

/** The nearest name that a repository can have. */
function fitting(name: string): string {
  const fit = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 100)
    .replace(/-+$/, '')
  return fit === '' ? 'image' : fit
}
