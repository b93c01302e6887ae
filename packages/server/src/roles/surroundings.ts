import type { Foundation } from '../foundation.ts'
import type { Addresses } from '../runtime/runtime.ts'
import type { Surroundings } from '../scheduler/launch.ts'

/** How the platform looks to a runner. */
export function surroundings(
  { bundleFile, config }: Pick<Foundation, 'bundleFile' | 'config'>,
  { names, ingress: { authority: ingress } }: Addresses,
): Surroundings {
  return {
    grpcHost: `${names.hosts[0]}:${names.port}`,
    restHost: ingress,
    runHost: ingress,
    queueRunHost: `${ingress}/queue`,
    wsRunHost: `${ingress}/ws`,
    cdnUrl: `https://${ingress}`,
    kvUrl: `https://${ingress}/kv`,
    bundle: bundleFile,
    region: config.CARRICK_REGION,
  }
}
