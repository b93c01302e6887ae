import { text } from 'node:stream/consumers'
import type Docker from 'dockerode'
import { extract } from 'tar-stream'
import { statusOf } from '../../backends/docker/engine.ts'

/** A package of the distribution that an image is made of. */
export interface SystemPackage {
  readonly kind: 'deb' | 'apk'
  readonly name: string
  readonly version: string
  readonly architecture: string
}

const databases = [
  { path: '/var/lib/dpkg/status', kind: 'deb', name: 'Package', version: 'Version', architecture: 'Architecture' },
  { path: '/lib/apk/db/installed', kind: 'apk', name: 'P', version: 'V', architecture: 'A' },
] as const

const mostBytes = 32 * 1024 * 1024

/** What dpkg or apk noted in an image. Nothing of the image is run for it. */
export async function systemPackages(
  engine: Docker,
  image: string,
  labels: Readonly<Record<string, string>>,
): Promise<readonly SystemPackage[]> {
  const container = await engine.createContainer({ Image: image, Entrypoint: ['-'], Labels: { ...labels } })
  try {
    const found = await Promise.all(
      databases.map(async (database) => packagesIn(await fileIn(container, database.path), database)),
    )
    return found.flat()
  } finally {
    await container.remove({ force: true }).catch(() => {}) // its label gives it away
  }
}

/** What stands in a file of the container; nothing where it has none, or a link, or more than anybody lists. */
async function fileIn(container: Docker.Container, path: string): Promise<string> {
  try {
    return await firstFile(await container.getArchive({ path }))
  } catch (error) {
    if (statusOf(error) === 404) return ''
    throw error
  }
}

async function firstFile(archive: NodeJS.ReadableStream): Promise<string> {
  const tar = extract()
  archive.on('error', (error: Error) => tar.destroy(error))
  archive.pipe(tar)
  for await (const entry of tar) {
    const { type, size } = entry.header
    if (type === 'file' && size <= mostBytes) return await text(entry)
    entry.resume()
  }
  return ''
}

interface Fields {
  readonly kind: 'deb' | 'apk'
  readonly name: string
  readonly version: string
  readonly architecture: string
}

/** Both write a paragraph for each package, a field in each line. */
export function packagesIn(listed: string, { kind, name, version, architecture }: Fields): SystemPackage[] {
  return listed.split(/\n\s*\n/).flatMap((paragraph) => {
    const fields = new Map(
      Array.from(paragraph.matchAll(/^([A-Za-z-]+):[ \t]*(.*)$/gm), ([, key = '', value = '']) => [key, value.trim()]),
    )
    const [named, versioned] = [fields.get(name), fields.get(version)]
    const isInstalled = kind === 'apk' || /\binstalled$/.test(fields.get('Status') ?? '')
    if (named === undefined || versioned === undefined || !isInstalled) return []
    return [{ kind, name: named, version: versioned, architecture: fields.get(architecture) ?? '' }]
  })
}
