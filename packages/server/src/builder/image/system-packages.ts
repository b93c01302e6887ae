import type Docker from 'dockerode'
import { filesIn } from '../../backends/docker/engine/image-files.ts'

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

/** What dpkg or apk noted in an image. Nothing of the image is run for it. */
export async function systemPackages(
  engine: Docker,
  image: string,
  labels: Readonly<Record<string, string>>,
): Promise<readonly SystemPackage[]> {
  const files = await filesIn(
    engine,
    image,
    databases.map(({ path }) => path),
    labels,
  )
  return databases.flatMap((database, place) => packagesIn(files[place] ?? '', database))
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
