import { environmentSbom, Sbom } from '../../deploys/sbom.ts'
import { described } from './described.ts'

/** What environments are made of. */
export const environmentRoutes = [
  described('GET', '/v1/environments/:id/sbom', environmentSbom, {
    summary: 'What is installed in an environment that is an image: CycloneDX 1.5',
    answer: Sbom,
    read: ({ params }) => ({ id: params['id'] ?? '' }),
    show: (sbom) => sbom,
  }),
]
