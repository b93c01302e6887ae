import type { EnvironmentId } from '../../domain/ids.ts'
import type { Described } from './describe.ts'
import type { SystemPackage } from './system-packages.ts'

export interface Installed {
  readonly id: EnvironmentId
  /** The image's. */
  readonly digest: string
  readonly python?: Described
  readonly system: readonly SystemPackage[]
}

/** What is installed in an image, as CycloneDX 1.5 (JSON). The same for the same image. */
export function cycloneDx({ id, digest, python, system }: Installed): string {
  const pypi = (python?.packages ?? []).map(([name, version, license]) => ({
    type: 'library',
    name,
    version,
    purl: `pkg:pypi/${encodeURIComponent(name.toLowerCase().replaceAll(/[-_.]+/g, '-'))}@${encodeURIComponent(version)}`,
    ...(license === '' ? {} : { licenses: [{ expression: license }] }),
  }))
  const interpreter =
    python === undefined
      ? []
      : [{ type: 'application', name: 'python', version: python.version, purl: `pkg:generic/python@${python.version}` }]
  const packages = system.map(({ name, version, kind, architecture }) => ({
    type: 'library',
    name,
    version,
    purl: `pkg:${kind}/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${encodeURIComponent(architecture)}`,
  }))
  return JSON.stringify({
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'container', 'bom-ref': id, name: id, version: digest } },
    components: [...interpreter, ...pypi, ...packages],
  })
}
