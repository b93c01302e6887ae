import { registryHost } from '../../domain/image-reference.ts'
import type { RegistryCredentials } from '../builder.ts'

/** By whom images of this registry are pulled. Nobody's name means that anybody may. */
export function credentialsFor(
  host: string,
  registries: Readonly<Record<string, RegistryCredentials>>,
): RegistryCredentials | undefined {
  const wanted = registryHost(host)
  return Object.entries(registries).find(([written]) => registryHost(written) === wanted)?.[1]
}
